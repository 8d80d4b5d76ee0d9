use std::convert::Infallible;

use sse_core::Hub;
use sse_net::Server;

use crate::{args::Framework, poem_app, warp_app};

/// Serves the page, the streams and the API over `hub`, for ever.
pub async fn serve(framework: Framework, server: Server, hub: Hub) -> Infallible {
    match framework {
        Framework::Poem => server.serve(sse_poem::service(poem_app::app(hub))).await,
        Framework::Warp => server.serve(sse_warp::service(warp_app::app(hub))).await,
    }
}
