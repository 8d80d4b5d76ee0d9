use std::io;

use poem::listener::TcpAcceptor;
use sse_core::Hub;
use sse_poem::CloseAware;
use tokio::net::TcpListener;

use crate::{args::Framework, poem_app, warp_app};

/// What is logged unless told otherwise. `warp::serve` calls each client that goes away an error.
pub const LOG_FILTER: &str = "warn,warp::server=off";

/// Serves the page, the streams and the API over `hub`.
///
/// # Errors
///
/// The server failed.
pub async fn serve(framework: Framework, listener: TcpListener, hub: Hub) -> io::Result<()> {
    match framework {
        Framework::Poem => on_poem(listener, hub).await,
        Framework::Warp => on_warp(listener, hub).await,
    }
}

async fn on_poem(listener: TcpListener, hub: Hub) -> io::Result<()> {
    let acceptor = CloseAware::new(TcpAcceptor::from_tokio(listener)?);
    let server = poem::Server::new_with_acceptor(acceptor);
    server.run(poem_app::app(hub)).await
}

async fn on_warp(listener: TcpListener, hub: Hub) -> io::Result<()> {
    let server = warp::serve(warp_app::app(hub)).incoming(listener);
    server.run().await;
    Ok(())
}
