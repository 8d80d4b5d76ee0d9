use std::{net::IpAddr, sync::Arc};

use tokio_rustls::rustls::ServerConfig;

/// TLS with a certificate that nobody but this process vouches for, made now.
pub(crate) fn self_signed(listen: IpAddr) -> Result<Arc<ServerConfig>, String> {
    config(listen)
        .map(Arc::new)
        .map_err(|error| format!("TLS: {error}"))
}

fn config(listen: IpAddr) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let names = vec!["localhost".to_owned(), listen.to_string()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let config = ServerConfig::builder().with_no_client_auth();
    Ok(config.with_single_cert(vec![made.cert.into()], made.signing_key.into())?)
}
