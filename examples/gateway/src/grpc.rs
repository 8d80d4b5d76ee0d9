//! How services push.

mod auth;
mod fields;
mod service;

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use tokio::net::TcpListener;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{
        Certificate, Identity, Server, ServerTlsConfig,
        server::{Router, TcpIncoming},
    },
};

use self::{auth::Key, service::Service};
use crate::{
    gateway::Gateway,
    proto::push_server::PushServer,
    settings::{GrpcSettings, TlsSettings},
};

/// The gRPC side of a gateway, which listens and doesn't serve yet.
pub struct Grpc {
    router: Router,
    incoming: TcpIncoming,
    addr: SocketAddr,
}

impl Grpc {
    /// Listens.
    ///
    /// # Errors
    ///
    /// In words for whoever started the program.
    pub async fn bind(settings: &GrpcSettings, gateway: Arc<Gateway>) -> Result<Self, String> {
        let mut server = Server::builder().timeout(settings.timeout);
        if let Some(tls) = &settings.tls {
            let tls = tls_config(tls)?;
            server = server
                .tls_config(tls)
                .map_err(|error| format!("grpc.tls: {error}"))?;
        }
        let service = PushServer::new(Service::new(gateway));
        let router = match settings.key.clone() {
            Some(key) => server.add_service(InterceptedService::new(service, Key::new(key))),
            None => server.add_service(service),
        };
        let listen = settings.listen;
        let cannot = |error| format!("grpc.listen: can't listen on {listen}: {error}");
        let listener = TcpListener::bind(listen).await.map_err(cannot)?;
        let addr = listener.local_addr().map_err(cannot)?;
        Ok(Self {
            router,
            incoming: TcpIncoming::from(listener).with_nodelay(Some(true)),
            addr,
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` is ready and the calls under way are done.
    ///
    /// # Errors
    ///
    /// In words for whoever started the program.
    pub async fn serve_until(self, stop: impl Future<Output = ()>) -> Result<(), String> {
        let served = self
            .router
            .serve_with_incoming_shutdown(self.incoming, stop);
        served.await.map_err(|error| format!("grpc: {error}"))
    }
}

impl std::fmt::Debug for Grpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grpc")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

fn tls_config(tls: &TlsSettings) -> Result<ServerTlsConfig, String> {
    let identity = Identity::from_pem(pem(&tls.certificate)?, pem(&tls.key)?);
    let config = ServerTlsConfig::new().identity(identity);
    Ok(match &tls.client_ca {
        Some(authority) => config.client_ca_root(Certificate::from_pem(pem(authority)?)),
        None => config,
    })
}

fn pem(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("grpc.tls: {}: {error}", path.display()))
}
