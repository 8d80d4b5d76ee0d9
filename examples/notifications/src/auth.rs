use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::Error,
};
use serde::{Deserialize, Serialize};

use crate::answer::Refusal;

/// By which algorithm tokens are signed, whatever a token says of it.
const ALGORITHM: Algorithm = Algorithm::HS256;

/// What tokens are signed with; never shown.
#[derive(Clone)]
pub struct Secret(String);

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("the secret is empty"),
            secret => Ok(Self(secret.to_owned())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a token says: whose it is, and until when (RFC 7519, 4.1).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Secret {
    /// A token for the streams of a client, which lasts so long.
    ///
    /// # Errors
    ///
    /// It can't be signed.
    pub fn token(&self, client: &str, lasts: Duration) -> Result<String, Error> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let claims = Claims {
            sub: client.to_owned(),
            exp: since.unwrap_or_default().saturating_add(lasts).as_secs(),
        };
        let key = EncodingKey::from_secret(self.0.as_bytes());
        encode(&Header::new(ALGORITHM), &claims, &key)
    }

    /// For how long a token is for the streams of a client.
    pub(crate) fn check(&self, token: Option<&str>, client: &str) -> Result<Duration, Refusal> {
        let token = token.ok_or(Refusal::Unauthorized("token: missing"))?;
        let key = DecodingKey::from_secret(self.0.as_bytes());
        let mut rule = Validation::new(ALGORITHM);
        rule.set_required_spec_claims(&["exp", "sub"]);
        rule.leeway = 0;
        rule.validate_nbf = true;
        // "On or after" that time it is none (RFC 7519, 4.1.4).
        rule.reject_tokens_expiring_in_less_than = 1;
        // What is wrong with it is nobody's business, and might quote it.
        let said = decode::<Claims>(token, &key, &rule);
        let said = said.map_err(|_| Refusal::Unauthorized("token: not valid (any more)"))?;
        if said.claims.sub != client {
            return Err(Refusal::Unauthorized("token: another client's"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Duration::from_secs(said.claims.exp).saturating_sub(now.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_for_its_client_for_a_while() {
        let secret: Secret = "s3cret".parse().unwrap();
        let token = secret.token("ada", HOUR).unwrap();
        let left = secret.check(Some(&token), "ada").unwrap();
        assert!(
            left <= HOUR && left > HOUR - Duration::from_secs(10),
            "{left:?}"
        );
        let other: Secret = "other".parse().unwrap();
        let unsigned = {
            let body = token.split('.').nth(1).unwrap();
            // {"alg":"none"}
            format!("eyJhbGciOiJub25lIn0.{body}.")
        };
        for (token, client) in [
            (None, "ada"),
            (Some(""), "ada"),
            (Some("x.y.z"), "ada"),
            (Some(&*token), "bob"),
            (Some(&*other.token("ada", HOUR).unwrap()), "ada"),
            (Some(&*secret.token("ada", Duration::ZERO).unwrap()), "ada"),
            (Some(&*unsigned), "ada"),
        ] {
            assert!(secret.check(token, client).is_err(), "{token:?} {client}");
        }
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
