//! The manager as a user starts it, on each framework.

mod api;
mod cors;
mod page;

use example_support::test::Program;
use serde_json::{Value, json};
use sse_conformance::{Call, Response, StreamClient, request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_manager");

/// What the server is built on, by the name that its command line has for it.
#[derive(Debug, Clone, Copy)]
struct Framework(&'static str);

/// Makes each case a test on each framework.
macro_rules! on_each_framework {
    ($($case:ident,)*) => {
        on_each_framework! { poem: $($case)* }
        on_each_framework! { warp: $($case)* }
    };
    ($framework:ident: $($case:ident)*) => {
        mod $framework {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::Framework(stringify!($framework))).await;
                }
            )*
        }
    };
}
use on_each_framework;

/// A running server; it ends with the test.
struct Server(Program);

impl Server {
    async fn start(on: Framework, args: &[&str]) -> Self {
        let args = [&["--framework", on.0], args].concat();
        Self(Program::start(PROGRAM, &args).await)
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let mut headers = headers.to_vec();
        let body = if body.is_null() {
            String::new()
        } else {
            headers.push(("content-type", "application/json"));
            body.to_string()
        };
        request(self.0.addr, method, path, &headers, body).await
    }

    /// Logs in; the cookie of the session.
    async fn login(&self, user: &str) -> String {
        let response = self
            .ask("POST", "/login", &[], &json!({ "user": user }))
            .await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json::<Value>(), json!({ "user": user }));
        let cookie = response.headers["set-cookie"].to_str().unwrap();
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        cookie.split(';').next().unwrap().to_owned()
    }

    fn events(&self, cookie: &str) -> Call {
        StreamClient::open(self.0.addr, "/events").header("cookie", cookie)
    }
}
