//! Pages of other origins.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Framework, PROGRAM, Server, on_each_framework};

on_each_framework! {
    other_origins_are_refused_unless_listed,
    those_on_the_list_may_have_credentials,
    any_may_without_them,
    another_sites_page_acts_for_nobody,
}

const APP: &str = "https://app.example";

fn preflight(origin: &str) -> [(&str, &str); 3] {
    [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ]
}

async fn other_origins_are_refused_unless_listed(on: Framework) {
    let server = Server::start(on, &["--allow-origin", APP]).await;
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.evil",
        "http://app.example",
    ] {
        for (method, path) in [
            ("GET", "/events"),
            ("POST", "/login"),
            ("OPTIONS", "/login"),
        ] {
            let refused = server
                .ask(method, path, &preflight(origin), &Value::Null)
                .await;
            assert_eq!(refused.status, 403, "{origin}: {method} {path}");
            let error = json!({ "error": "not for pages of this origin" });
            assert_eq!(refused.json::<Value>(), error);
            assert!(!refused.headers.contains_key("access-control-allow-origin"));
        }
    }
    // Its own pages come with an origin too.
    let own = format!("http://{}", server.0.addr);
    let login = json!({ "user": "ada" });
    let allowed = server
        .ask("POST", "/login", &[("origin", &own)], &login)
        .await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
}

async fn those_on_the_list_may_have_credentials(on: Framework) {
    let list = "https://other.example,https://app.example";
    let args = ["--allow-origin", list, "--allow-credentials"];
    let server = Server::start(on, &args).await;
    let asked = server
        .ask("OPTIONS", "/login", &preflight(APP), &Value::Null)
        .await;
    assert_eq!((asked.status.as_u16(), &*asked.body), (204, &b""[..]));
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, HEAD, POST"),
        (
            "access-control-allow-headers",
            "authorization, content-type, last-event-id",
        ),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ] {
        assert_eq!(asked.headers[name], value, "{name}");
    }
    let cookie = server.login("ada").await;
    let mut stream = server.events(&cookie).header("origin", APP).await;
    let headers = stream.headers();
    assert_eq!(headers["access-control-allow-origin"], APP);
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(headers["content-type"], "text/event-stream");
    stream.next_named("connected").await;
    // What is refused can be read by the page, too.
    let refused = server
        .ask("GET", "/events", &[("origin", APP)], &Value::Null)
        .await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.headers["access-control-allow-origin"], APP);
}

async fn any_may_without_them(on: Framework) {
    let server = Server::start(on, &["--allow-origin", "any"]).await;
    let asked = server
        .ask("OPTIONS", "/login", &preflight(APP), &Value::Null)
        .await;
    assert_eq!(asked.status, 204);
    assert_eq!(asked.headers["access-control-allow-origin"], "*");
    assert!(
        !asked
            .headers
            .contains_key("access-control-allow-credentials")
    );
    let got = server
        .ask("GET", "/", &[("origin", "null")], &Value::Null)
        .await;
    assert_eq!(got.headers["access-control-allow-origin"], "*");
}

/// Not even by what needs no script's leave: a link, an image, a form.
async fn another_sites_page_acts_for_nobody(on: Framework) {
    for args in [
        &[][..],
        &["--allow-origin", "any"],
        &["--allow-origin", APP],
    ] {
        let server = Server::start(on, args).await;
        let cookie = server.login("ada").await;
        let mut stream = server.events(&cookie).await;
        stream.next_named("connected").await;
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let headers = [("cookie", &*cookie), (name, value)];
            let asked = server.ask("GET", "/events", &headers, &Value::Null).await;
            assert_eq!(asked.status, 401, "{args:?} {value}");
            let asked = server.ask("POST", "/logout", &headers, &Value::Null).await;
            assert_eq!(asked.status, 401, "{args:?} {value}");
        }
        let headers = [("cookie", &*cookie), ("origin", APP)];
        let asked = server.ask("POST", "/logout", &headers, &Value::Null).await;
        assert!([401, 403].contains(&asked.status.as_u16()), "{args:?}");
        let text = json!({ "text": "still there" });
        server
            .ask("POST", "/broadcast", &[("cookie", &cookie)], &text)
            .await;
        assert_eq!(stream.next_named("news").await.event, "news");
    }
}

#[tokio::test]
async fn what_would_open_it_to_everybody_is_refused_at_the_start() {
    for (args, says) in [
        (
            &["--allow-origin", "any", "--allow-credentials"][..],
            "want a list",
        ),
        (&["--allow-origin", "app.example"], "no origin"),
        (&["--allow-origin", "https://app.example/"], "no origin"),
        (&["--allow-origin", "*"], "no origin"),
        (&["--allow-origin", "https://App.example"], "no origin"),
        (&["--allow-origin", "https://app.example:443"], "no origin"),
        (&["--allow-origin", "https://me@app.example"], "no origin"),
    ] {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .args(["--port", "0"])
            .stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains(says),
            "{args:?}: {error}"
        );
    }
}
