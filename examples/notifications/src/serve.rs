use sse_core::Hub;
use sse_net::{Server, Stopped};

use crate::{args::Framework, poem_app, warp_app};

/// Serves the page, the streams and the API over `hub` until `stop` is ready.
pub async fn serve_until(
    framework: Framework,
    server: Server,
    hub: Hub,
    stop: impl Future<Output = ()> + Send,
) -> Stopped {
    match framework {
        Framework::Poem => {
            let service = sse_poem::service(poem_app::app(hub));
            server.serve_until(service, stop).await
        }
        Framework::Warp => {
            let service = sse_warp::service(warp_app::app(hub));
            server.serve_until(service, stop).await
        }
    }
}
