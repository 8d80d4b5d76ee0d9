use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tonic::{Request, Status, service::Interceptor};

/// Lets calls through that bring the key.
#[derive(Clone)]
pub(crate) struct Key(SecretString);

impl Key {
    pub(crate) const fn new(key: SecretString) -> Self {
        Self(key)
    }

    fn is(&self, key: &str) -> bool {
        // How much of it is right shows in no time.
        self.0
            .expose_secret()
            .as_bytes()
            .ct_eq(key.as_bytes())
            .into()
    }
}

impl Interceptor for Key {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let sent = request.metadata().get("authorization");
        let key = sent.and_then(|sent| sent.to_str().ok()?.strip_prefix("Bearer "));
        match key {
            Some(key) if self.is(key) => Ok(request),
            _ => Err(Status::unauthenticated(
                "a key is needed that is the right one",
            )),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
