//! Each case on each framework.

use crate::support::Server;

/// What the server is built on, by the name that its command line has for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framework(pub(crate) &'static str);

impl Framework {
    /// Starts the server on it.
    pub(crate) async fn start(self, args: &[&str]) -> Server {
        Server::start(&[&["--framework", self.0], args].concat()).await
    }
}

/// Makes each case a test on each framework: `poem::case`, `warp::case` and `axum::case`.
macro_rules! on_each_framework {
    ($($case:ident,)*) => {
        on_each_framework! { poem: $($case)* }
        on_each_framework! { warp: $($case)* }
        on_each_framework! { axum: $($case)* }
    };
    ($framework:ident: $($case:ident)*) => {
        mod $framework {
            $(
                #[tokio::test]
                async fn $case() {
                    let on = crate::frameworks::Framework(stringify!($framework));
                    super::$case(on).await;
                }
            )*
        }
    };
}
