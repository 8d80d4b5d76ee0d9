//! How the page's streams end, which come back by themselves, and which don't.

use sse_browser::{Browser, BrowserKind};

use super::{card, connect, picture, run_with, send, shows, url};
use crate::frameworks::Framework;

/// Makes each case a test in each browser on each framework: `chromium::poem::case` and so on.
macro_rules! in_each_browser {
    ($($case:ident,)*) => {
        in_each_browser! { chromium, Chromium: $($case)* }
        in_each_browser! { firefox, Firefox: $($case)* }
    };
    ($browser:ident, $kind:ident: $($case:ident)*) => {
        mod $browser {
            $(
                async fn $case(on: crate::frameworks::Framework) {
                    super::$case(on, sse_browser::BrowserKind::$kind).await;
                }
            )*

            on_each_framework! { $($case,)* }
        }
    };
}

in_each_browser! {
    a_page_comes_back_to_a_server_that_restarts,
    a_client_that_is_ended_for_good_gives_up_until_it_is_allowed,
    a_page_that_is_refused_comes_back_by_itself,
    a_page_that_is_replaced_stops,
}

async fn a_page_comes_back_to_a_server_that_restarts(on: Framework, kind: BrowserKind) {
    let mut server = on.start(&["--drain", "100ms"]).await;
    let port = server.addr.port().to_string();
    let url = url(&server);
    Browser::run(kind, &url, async |browser| {
        connect(browser, "ada", "default").await;
        server.terminate();
        server.process.wait().await.unwrap();
        let away = format!(r#"{}[data-status="reconnecting"]"#, card("ada"));
        browser.find(&away).await;
        let _restarted = on.start(&["--port", &port]).await;
        let open = format!(r#"{}[data-status="open"]"#, card("ada"));
        browser.find(&open).await;
        send(browser, "unicast", Some(("#send-client", "ada")), "back").await;
        shows(browser, "ada", &["back"]).await;
        picture(browser, "page-restarted", on).await;
    })
    .await;
}

async fn a_client_that_is_ended_for_good_gives_up_until_it_is_allowed(
    on: Framework,
    kind: BrowserKind,
) {
    run_with(on, kind, &[], async |browser| {
        connect(browser, "ada", "default").await;
        let button = ".who [data-client='ada'] .disconnect-final";
        browser.click(button).await;
        let closed = format!(r#"{} .entry[data-event="closed"] .entry-data"#, card("ada"));
        let told = "The server ended this client for good (disconnected)";
        browser.text_is(&closed, told).await;
        let gives_up = format!(r#"{}[data-status="closed"]"#, card("ada"));
        browser.find(&gives_up).await;
        picture(browser, "page-final", on).await;
        browser
            .click(&format!("{} .stream-allow", card("ada")))
            .await;
        let open = format!(r#"{}[data-status="open"]"#, card("ada"));
        browser.find(&open).await;
    })
    .await;
}

async fn a_page_that_is_refused_comes_back_by_itself(on: Framework, kind: BrowserKind) {
    run_with(on, kind, &["--max-streams", "1"], async |browser| {
        connect(browser, "ada", "default").await;
        browser.fill("#connect-client", "bob").await;
        browser.click("#connect-button").await;
        let refused = format!(
            r#"{} .entry[data-event="refused"] .entry-data"#,
            card("bob")
        );
        browser.find(&refused).await;
        let told = browser.texts(&refused).await;
        let text = "The server takes no new stream now (connections) in ";
        assert!(told[0].starts_with(text), "{told:?}");
        picture(browser, "page-refused", on).await;
        browser
            .click(&format!("{} .stream-close", card("ada")))
            .await;
        let connected = format!(r#"{} .entry[data-event="connected"]"#, card("bob"));
        browser.find(&connected).await;
        let open = format!(r#"{}[data-status="open"]"#, card("bob"));
        browser.find(&open).await;
    })
    .await;
}

async fn a_page_that_is_replaced_stops(on: Framework, kind: BrowserKind) {
    let args = ["--max-streams-per-client", "1", "--over-client", "replace"];
    run_with(on, kind, &args, async |browser| {
        connect(browser, "ada", "one").await;
        browser.fill("#connect-client", "ada").await;
        browser.fill("#connect-group", "two").await;
        browser.click("#connect-button").await;
        let of = |group: &str| format!(r#"{}[data-group="{group}"]"#, card("ada"));
        let replaced = format!(r#"{} .entry[data-event="replaced"]"#, of("one"));
        browser.find(&replaced).await;
        browser
            .find(&format!(r#"{}[data-status="closed"]"#, of("one")))
            .await;
        browser
            .find(&format!(r#"{}[data-status="open"]"#, of("two")))
            .await;
        send(
            browser,
            "unicast",
            Some(("#send-client", "ada")),
            "one gets it",
        )
        .await;
        let newest = format!(
            r#"{} .entry[data-event="notification"] .entry-data"#,
            of("two")
        );
        browser.texts_are(&newest, &["one gets it"]).await;
        browser.text_is("#info-connections", "1").await;
        picture(browser, "page-replaced", on).await;
    })
    .await;
}
