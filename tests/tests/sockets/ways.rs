//! Both frameworks, served plainly and on the loop of `sse-net`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use poem::{
    Endpoint, EndpointExt, Route, get, handler,
    listener::TcpAcceptor,
    web::{Data, Path},
};
use sse_core::Hub;
use sse_net::{Server, Tuning};
use sse_poem::CloseAware;
use sse_warp::{Sse, SseResponse};
use tokio::{net::TcpListener, spawn};
use warp::Filter;

/// By default.
const REAP_AFTER: Duration = Duration::from_secs(90);
const HEAD_WITHIN: Duration = Duration::from_secs(10);

pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A framework, and what serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `poem::Server`, its acceptor wrapped in `CloseAware`.
    Poem,
    PoemOnSseNet,
    /// `warp::serve`.
    Warp,
    WarpOnSseNet,
}

impl Way {
    pub(crate) const fn is_on_sse_net(self) -> bool {
        matches!(self, Self::PoemOnSseNet | Self::WarpOnSseNet)
    }
}

/// Stamps a test for each way and case: an `async fn` that takes the way.
macro_rules! each_way {
    ($($case:ident,)*) => {
        each_way! { poem = Poem: $($case)* }
        each_way! { poem_on_sse_net = PoemOnSseNet: $($case)* }
        each_way! { warp = Warp: $($case)* }
        each_way! { warp_on_sse_net = WarpOnSseNet: $($case)* }
    };
    ($name:ident = $way:ident: $($case:ident)*) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case($crate::ways::Way::$way).await;
                }
            )*
        }
    };
}
pub(crate) use each_way;

/// Serves `/:client`, a stream of that client in a group, and `/:client/:group`, until the test ends.
pub(crate) fn serve(hub: &Hub, way: Way) -> SocketAddr {
    serve_at(ANY_PORT, hub, way, REAP_AFTER)
}

/// The same; on the loop of `sse-net` a request's head has to come within a time.
pub(crate) fn serve_heads_within(head_within: Duration, hub: &Hub, way: Way) -> SocketAddr {
    let listener = sse_net::listen(ANY_PORT).unwrap();
    serve_with(listener, hub, way, REAP_AFTER, head_within)
}

/// The same, at an address, with sockets that end after `reap_after`.
pub(crate) fn serve_at(addr: SocketAddr, hub: &Hub, way: Way, reap_after: Duration) -> SocketAddr {
    let listener = sse_net::listen_with(addr, Tuning::for_reap_after(reap_after)).unwrap();
    serve_on(listener, hub, way, reap_after)
}

/// The same, on a listener of one's own.
pub(crate) fn serve_on(
    listener: TcpListener,
    hub: &Hub,
    way: Way,
    reap_after: Duration,
) -> SocketAddr {
    serve_with(listener, hub, way, reap_after, HEAD_WITHIN)
}

fn serve_with(
    listener: TcpListener,
    hub: &Hub,
    way: Way,
    reap_after: Duration,
    head_within: Duration,
) -> SocketAddr {
    let addr = listener.local_addr().unwrap();
    let server = |listener| {
        let server = Server::new(listener).reap_after(reap_after);
        server.header_read_timeout(head_within)
    };
    match way {
        Way::Poem => drop(spawn(on_poem(listener, reap_after, poem_app(hub)))),
        Way::PoemOnSseNet => {
            let service = sse_poem::service(poem_app(hub));
            drop(spawn(server(listener).serve(service)));
        }
        Way::Warp => drop(spawn(warp::serve(warp_app(hub)).incoming(listener).run())),
        Way::WarpOnSseNet => {
            let service = sse_warp::service(warp_app(hub));
            drop(spawn(server(listener).serve(service)));
        }
    }
    addr
}

async fn on_poem(
    listener: TcpListener,
    reap_after: Duration,
    app: impl Endpoint + 'static,
) -> std::io::Result<()> {
    let acceptor = CloseAware::new(TcpAcceptor::from_tokio(listener)?).write_timeout(reap_after);
    poem::Server::new_with_acceptor(acceptor).run(app).await
}

#[handler]
async fn stream(
    sse: sse_poem::Sse,
    Path(client): Path<String>,
    Data(hub): Data<&Hub>,
) -> sse_poem::SseResponse {
    sse.client(client).group("g").open(hub).await
}

#[handler]
async fn stream_in(
    sse: sse_poem::Sse,
    Path((client, group)): Path<(String, String)>,
    Data(hub): Data<&Hub>,
) -> sse_poem::SseResponse {
    sse.client(client).group(group).open(hub).await
}

fn poem_app(hub: &Hub) -> impl Endpoint + use<> {
    Route::new()
        .at("/:client", get(stream).post(stream))
        .at("/:client/:group", get(stream_in))
        .data(hub.clone())
}

fn warp_app(
    hub: &Hub,
) -> impl Filter<Extract = (SseResponse,), Error = warp::Rejection> + Clone + use<> {
    let hub = hub.clone();
    let in_a_group = warp::path!(String).map(|client| (client, "g".to_owned()));
    let in_this_group = warp::path!(String / String).map(|client, group| (client, group));
    in_a_group
        .or(in_this_group)
        .unify()
        .and(sse_warp::sse())
        .and(warp::any().map(move || hub.clone()))
        .then(
            |(client, group): (String, String), sse: Sse, hub: Hub| async move {
                sse.client(client).group(group).open(&hub).await
            },
        )
}
