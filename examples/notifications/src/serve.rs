use example_support::Asset;
use sse_net::{Server, Stopped};

use crate::{app::App, args::Framework, axum_app, poem_app, warp_app};

/// Serves the files of pages, the streams and the API over `app` until `stop` is ready.
pub async fn serve_until(
    framework: Framework,
    server: Server,
    app: App,
    files: Vec<Asset>,
    stop: impl Future<Output = ()> + Send,
) -> Stopped {
    match framework {
        Framework::Poem => {
            let service = sse_poem::service(poem_app::app(app, files));
            server.serve_until(service, stop).await
        }
        Framework::Warp => {
            let service = sse_warp::service(warp_app::app(app, files));
            server.serve_until(service, stop).await
        }
        Framework::Axum => {
            let service = sse_axum::service(axum_app::app(app, files));
            server.serve_until(service, stop).await
        }
    }
}
