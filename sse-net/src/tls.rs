use std::sync::Arc;

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use crate::{connections::Finish, write_timeout::WriteTimeout};

/// What is offered to a client by ALPN (RFC 7301) where the configuration doesn't say.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The configuration with something to offer by ALPN: without, browsers never speak HTTP/2.
pub(crate) fn with_protocols(mut config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if config.alpn_protocols.is_empty() {
        let config = Arc::make_mut(&mut config);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    }
    config
}

/// Makes an accepted connection an encrypted one, unless that fails, takes too long, or it is to
/// finish before.
pub(crate) async fn handshake(
    config: Arc<ServerConfig>,
    stream: WriteTimeout<TcpStream>,
    deadline: Option<Instant>,
    finish: &mut Finish,
) -> Option<TlsStream<WriteTimeout<TcpStream>>> {
    let handshake = TlsAcceptor::from(config).accept(stream);
    let in_time = async {
        match deadline {
            Some(deadline) => timeout_at(deadline, handshake).await?,
            None => handshake.await,
        }
    };
    tokio::select! {
        biased;
        () = finish.asked() => None,
        stream = in_time => stream
            .inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed"))
            .ok(),
    }
}
