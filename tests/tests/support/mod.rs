//! A poem server beside its clients, each on a runtime of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use poem::{
    EndpointExt, Route, Server, get, handler,
    listener::TcpAcceptor,
    web::{Data, Path},
};
use sse_conformance::{Call, StreamClient};
use sse_core::Hub;
use sse_poem::{CloseAware, Sse, SseResponse};
use tokio::runtime::{Builder, Runtime};

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with the test.
pub(crate) struct Running {
    pub(crate) hub: Hub,
    pub(crate) addr: SocketAddr,
    pub(crate) runtime: Runtime,
}

impl Running {
    pub(crate) fn start(hub: Hub) -> Self {
        let runtime = runtime();
        let (addr, acceptor) = {
            let _runtime = runtime.enter();
            let listener = sse_net::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let addr = listener.local_addr().unwrap();
            let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
            (addr, CloseAware::new(acceptor))
        };
        let app = Route::new()
            .at("/stream/:client", get(stream))
            .data(hub.clone());
        runtime.spawn(Server::new_with_acceptor(acceptor).run(app));
        Self { hub, addr, runtime }
    }

    /// Opens the stream of `client`, past its opening event.
    pub(crate) async fn connect(
        &self,
        client: &str,
        set: impl FnOnce(Call) -> Call + Send,
    ) -> StreamClient {
        let call = StreamClient::open(self.addr, &format!("/stream/{client}")).timeout(PATIENCE);
        let mut opened = set(call).await;
        assert_eq!(opened.next_event().await.event, "connected");
        opened
    }
}

/// A runtime with a thread of its own.
pub(crate) fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

#[handler]
async fn stream(sse: Sse, Path(client): Path<String>, Data(hub): Data<&Hub>) -> SseResponse {
    let group = format!("g{}", client.len() % 3);
    sse.client(client).group(group).open(hub).await
}
