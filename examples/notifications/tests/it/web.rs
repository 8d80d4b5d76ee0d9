//! The pages on React and on Vue, over the TypeScript client, in a real Chromium.

use std::path::Path;

use serde_json::{Value, json};
use sse_browser::{Browser, BrowserKind};
use sse_conformance::request;

use crate::support::Server;

/// Where `cargo xtask setup` builds the pages.
const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/dist");

/// Makes each case a test on each page and by each transport of the client.
macro_rules! on_each_page {
    ($($case:ident,)*) => {
        on_each_page! { react, "react", "eventsource": $($case)* }
        on_each_page! { vue, "vue", "eventsource": $($case)* }
        on_each_page! { react_by_fetch, "react", "fetch": $($case)* }
        on_each_page! { vue_by_fetch, "vue", "fetch": $($case)* }
    };
    ($module:ident, $page:literal, $transport:literal: $($case:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(super::Page($page, $transport)).await;
                }
            )*
        }
    };
}

on_each_page! {
    it_shows_what_comes_newest_first,
    it_comes_back_for_what_it_missed,
    it_comes_back_to_a_server_that_was_drained,
    a_newer_one_takes_its_place,
    who_was_ended_for_good_stays_away,
}

/// Which page, by which transport.
#[derive(Debug, Clone, Copy)]
struct Page(&'static str, &'static str);

impl Page {
    fn url(self, server: &Server, query: &str) -> String {
        let Self(page, transport) = self;
        let addr = server.addr;
        format!("http://{addr}/web/{page}/?transport={transport}&{query}")
    }

    async fn open(self, server: &Server, test: impl AsyncFnOnce(&Browser)) {
        Browser::run(BrowserKind::Chromium, &self.url(server, ""), test).await;
    }
}

async fn start(args: &[&str]) -> Server {
    Server::start(&[&["--pages", PAGES], args].concat()).await
}

async fn done(server: &Server, path: &str, body: &Value) -> Value {
    let path = format!("/api/v1/sse{path}");
    let response = request(server.addr, "POST", &path, &[], body.to_string()).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

async fn send(server: &Server, text: &str) {
    let body = json!({ "client": "ada", "event": "notification", "data": text });
    done(server, "/send", &body).await;
}

async fn connections(server: &Server) -> Value {
    let response = request(server.addr, "GET", "/api/v1/sse/info", &[], "").await;
    response.json::<Value>()["connections"].clone()
}

const NOTIFICATIONS: &str = "#list li[data-event='notification']";

async fn picture(browser: &Browser, name: &str, page: Page) {
    let folder: &Path = env!("CARGO_TARGET_TMPDIR").as_ref();
    let file = format!("web-{name}-{}-{}.png", page.0, page.1);
    browser.picture(&folder.join(file)).await;
}

async fn it_shows_what_comes_newest_first(page: Page) {
    let server = start(&[]).await;
    page.open(&server, async |browser| {
        browser.text_is("#status", "open").await;
        for text in ["first", "<b>second</b>", "größe 🦀"] {
            send(&server, text).await;
        }
        let newest_first = ["größe 🦀", "<b>second</b>", "first"];
        browser.texts_are(NOTIFICATIONS, &newest_first).await;
        done(&server, "/send", &json!({ "data": { "a": [1] } })).await;
        browser
            .text_is("#list li[data-event='message']", r#"{"a":[1]}"#)
            .await;
        browser.click("#ask").await;
        browser
            .until("document.querySelector('#permission').textContent !== ''")
            .await;
        picture(browser, "list", page).await;
    })
    .await;
    let gone = async { while connections(&server).await != 0 {} };
    let gone = tokio::time::timeout(sse_browser::PATIENCE, gone).await;
    assert!(gone.is_ok(), "the page is closed");
}

async fn it_comes_back_for_what_it_missed(page: Page) {
    let server = start(&[]).await;
    page.open(&server, async |browser| {
        browser.text_is("#status", "open").await;
        send(&server, "before").await;
        browser.texts_are(NOTIFICATIONS, &["before"]).await;
        done(&server, "/disconnect/default/ada", &Value::Null).await;
        browser.text_is("#status", "waiting").await;
        send(&server, "meanwhile").await;
        browser
            .texts_are(NOTIFICATIONS, &["meanwhile", "before"])
            .await;
        browser.text_is("#status", "open").await;
    })
    .await;
}

async fn it_comes_back_to_a_server_that_was_drained(page: Page) {
    let mut server = start(&["--drain", "100ms"]).await;
    let port = server.addr.port().to_string();
    let url = page.url(&server, "");
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.text_is("#status", "open").await;
        send(&server, "before").await;
        browser.texts_are(NOTIFICATIONS, &["before"]).await;
        server.terminate();
        server.process.wait().await.unwrap();
        browser.text_is("#status", "waiting").await;
        let restarted = start(&["--port", &port]).await;
        browser.text_is("#status", "open").await;
        // What the old server kept is gone with it, and that is told.
        browser.text_is("#gap", "Something is missing: epoch").await;
        send(&restarted, "after").await;
        browser.texts_are(NOTIFICATIONS, &["after", "before"]).await;
        picture(browser, "gap", page).await;
    })
    .await;
}

async fn a_newer_one_takes_its_place(page: Page) {
    let args = ["--max-streams-per-client", "1", "--over-client", "replace"];
    let server = start(&args).await;
    page.open(&server, async |browser| {
        browser.text_is("#status", "open").await;
        let window = browser.page().window().await.unwrap();
        let second = browser.page().new_window(true).await.unwrap().handle;
        browser.page().switch_to_window(second).await.unwrap();
        browser.page().goto(&page.url(&server, "")).await.unwrap();
        browser.text_is("#status", "open").await;
        browser.page().switch_to_window(window).await.unwrap();
        browser.text_is("#status", "closed: replaced").await;
        picture(browser, "replaced", page).await;
    })
    .await;
}

async fn who_was_ended_for_good_stays_away(page: Page) {
    let server = start(&[]).await;
    page.open(&server, async |browser| {
        browser.text_is("#status", "open").await;
        done(&server, "/disconnect/default/ada?for=1h", &Value::Null).await;
        browser.text_is("#status", "closed: ended").await;
        // And asks in vain where it doesn't know.
        browser.page().refresh().await.unwrap();
        let told = match page.1 {
            "fetch" => "closed: ended",
            // An `EventSource` can't tell why it isn't taken: it asks again, ever more seldom.
            _ => "waiting",
        };
        browser.text_is("#status", told).await;
        assert_eq!(connections(&server).await, 0);
    })
    .await;
}

#[tokio::test]
async fn two_tabs_share_a_stream_and_the_second_goes_on_without_the_first() {
    let server = start(&[]).await;
    let page = Page("react", "eventsource");
    let url = page.url(&server, "share");
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        let tabs = browser.page();
        browser.text_is("#status", "open").await;
        let first = tabs.window().await.unwrap();
        let second = tabs.new_window(true).await.unwrap().handle;
        tabs.switch_to_window(second.clone()).await.unwrap();
        tabs.goto(&url).await.unwrap();
        browser.text_is("#status", "open").await;
        assert_eq!(connections(&server).await, 1, "both by one");
        send(&server, "for both").await;
        browser.texts_are(NOTIFICATIONS, &["for both"]).await;
        tabs.switch_to_window(first).await.unwrap();
        browser.texts_are(NOTIFICATIONS, &["for both"]).await;

        // The one that has the stream goes away.
        tabs.close_window().await.unwrap();
        send(&server, "while nobody has it").await;
        tabs.switch_to_window(second).await.unwrap();
        browser
            .texts_are(NOTIFICATIONS, &["while nobody has it", "for both"])
            .await;
        send(&server, "and on").await;
        let all = ["and on", "while nobody has it", "for both"];
        browser.texts_are(NOTIFICATIONS, &all).await;
        assert_eq!(connections(&server).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told() {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_notifications"))
        .args(["--pages", "/nowhere", "--port", "0"])
        .output();
    let output = output.await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("/nowhere"),
        "{error}"
    );
}
