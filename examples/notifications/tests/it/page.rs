//! The page in a real browser.

mod ends;

use std::path::{Path, PathBuf};

use crate::{frameworks::Framework, support::Server};
use serde_json::json;
use sse_browser::{Browser, BrowserKind};

on_each_framework! {
    the_page_shows_the_three_send_modes,
    text_from_others_never_becomes_html,
    a_disconnected_stream_comes_back_by_itself,
    a_stream_that_is_cut_gets_what_it_missed,
    what_is_missing_is_shown,
    what_an_application_does_is_shown,
}

/// Runs `test` on a new server's page in Chromium, with no stream yet.
async fn run(on: Framework, test: impl AsyncFnOnce(&Browser)) {
    run_with(on, BrowserKind::Chromium, &[], test).await;
}

/// The same in this browser, with these arguments for the server.
async fn run_with(
    on: Framework,
    kind: BrowserKind,
    args: &[&str],
    test: impl AsyncFnOnce(&Browser),
) {
    let server = on.start(args).await;
    Browser::run(kind, &url(&server), test).await;
}

/// The page, with no stream yet.
fn url(server: &Server) -> String {
    format!("http://{}/?auto=0", server.addr)
}

/// Opens a stream in the page, and waits until it is open.
async fn connect(browser: &Browser, client: &str, group: &str) {
    browser.fill("#connect-client", client).await;
    browser.fill("#connect-group", group).await;
    browser.click("#connect-button").await;
    let open = format!(r#"{}[data-status="open"]"#, card(client));
    browser.find(&open).await;
}

async fn send(browser: &Browser, mode: &str, to: Option<(&str, &str)>, text: &str) {
    browser.click(&format!("#mode-{mode}")).await;
    if let Some((field, name)) = to {
        browser.fill(field, name).await;
    }
    browser.fill("#send-text", text).await;
    browser.click("#send-button").await;
}

/// Waits until the notifications in a stream's log are these, newest first, and nothing else.
async fn shows(browser: &Browser, client: &str, expected: &[&str]) {
    let entries = r#".entry[data-event="notification"] .entry-data"#;
    let css = format!("{} {entries}", card(client));
    browser.texts_are(&css, expected).await;
}

/// The notifications in a stream's log that are marked as replayed, newest first.
async fn replayed(browser: &Browser, client: &str) -> Vec<String> {
    let marked = ".entry:has(.entry-replayed:not([hidden])) .entry-data";
    browser.texts(&format!("{} {marked}", card(client))).await
}

/// Has the server cut a stream, and waits until the page has seen it.
async fn cut(browser: &Browser, client: &str) {
    browser
        .click(&format!("{} .stream-cut", card(client)))
        .await;
    let away = format!(r#"{}[data-status="reconnecting"]"#, card(client));
    browser.find(&away).await;
}

/// Leaves a picture for people to look at.
async fn picture(browser: &Browser, name: &str, on: Framework) {
    let folder: &Path = env!("CARGO_TARGET_TMPDIR").as_ref();
    let kind = browser.kind();
    let path: PathBuf = folder.join(format!("{name}-{}-{kind:?}.png", on.0));
    browser.picture(&path).await;
}

fn card(client: &str) -> String {
    format!(r#".stream[data-client="{client}"]"#)
}

async fn the_page_shows_the_three_send_modes(on: Framework) {
    run(on, async |browser| {
        connect(browser, "ada", "default").await;
        connect(browser, "bob", "admins").await;
        connect(browser, "eve", "admins").await;
        browser.text_is("#info-connections", "3").await;
        browser.text_is("#info-groups", "2").await;

        let to_ada = Some(("#send-client", "ada"));
        send(browser, "unicast", to_ada, "only ada").await;
        shows(browser, "ada", &["only ada"]).await;
        send(browser, "group", Some(("#send-group", "admins")), "admins").await;
        shows(browser, "bob", &["admins"]).await;
        shows(browser, "eve", &["admins"]).await;
        send(browser, "broadcast", None, "everybody").await;
        shows(browser, "ada", &["everybody", "only ada"]).await;
        shows(browser, "bob", &["everybody", "admins"]).await;
        shows(browser, "eve", &["everybody", "admins"]).await;
        for mode in ["unicast", "group", "broadcast"] {
            browser
                .text_is(&format!("#info-published-{mode}"), "1")
                .await;
        }
        browser.text_is("#info-delivered", "6").await;
        let delay = browser.find(&format!("{} .entry-delay", card("ada"))).await;
        assert!(delay.text().await.unwrap().ends_with("ms"));
        picture(browser, "page-modes", on).await;
    })
    .await;
}

/// What would change the page if it were read as HTML.
const HOSTILE: &str =
    r#"<img src=x onerror="document.title='hacked'"><script>document.title='hacked'</script>"#;

async fn text_from_others_never_becomes_html(on: Framework) {
    run(on, async |browser| {
        connect(browser, "ada", "default").await;
        send(browser, "broadcast", None, HOSTILE).await;
        shows(browser, "ada", &[HOSTILE]).await;
        // Anybody may name an event like one of the library's own.
        let open = "document.querySelector('details').open = true";
        browser.script(open).await;
        browser.click("#send-json").await;
        browser.fill("#send-id", "<i>7</i>").await;
        for (event, data, shown) in [
            ("connected", json!({"resume": HOSTILE}), "resume: _"),
            (
                "gap",
                json!({"cause": HOSTILE}),
                "Something is missing here: _.",
            ),
            (
                "caught-up",
                json!({"replayed": HOSTILE}),
                "_ replayed, 0 skipped",
            ),
        ] {
            browser.fill("#send-event", event).await;
            send(browser, "broadcast", None, &data.to_string()).await;
            let entry = format!(r#"{} [data-event="{event}"] .entry-data"#, card("ada"));
            browser.text_is(&entry, &shown.replace('_', HOSTILE)).await;
        }
        let id = format!("{} .last-id", card("ada"));
        browser.text_is(&id, "<i>7</i>").await;
        let resume = format!("{} .resume", card("ada"));
        let shown = format!("Caught up after a gap: {HOSTILE} replayed, 0 skipped");
        browser.text_is(&resume, &shown).await;
        connect(browser, "<i>eve</i>", "<b>x</b>").await;
        let who = browser.find(".who [data-client='<i>eve</i>']").await;
        assert!(who.text().await.unwrap().contains("<i>eve</i>"));
        let elements = "document.querySelectorAll('img, main script, i:not(.pulse)').length";
        let elements = browser.script(&format!("return {elements}")).await;
        assert_eq!(elements, json!(0));
        assert_ne!(browser.page().title().await.unwrap(), "hacked");
    })
    .await;
}

async fn a_disconnected_stream_comes_back_by_itself(on: Framework) {
    run(on, async |browser| {
        connect(browser, "ada", "default").await;
        let connection = connections(browser).await;
        browser.click(".who [data-client='ada'] .disconnect").await;
        browser
            .find(&format!(r#"{}[data-status="reconnecting"]"#, card("ada")))
            .await;
        browser
            .find(&format!(r#"{}[data-status="open"]"#, card("ada")))
            .await;
        assert_eq!(connection.len() + 1, connections(browser).await.len());
        send(browser, "unicast", Some(("#send-client", "ada")), "back").await;
        shows(browser, "ada", &["back"]).await;
        picture(browser, "page-reconnected", on).await;
    })
    .await;
}

async fn a_stream_that_is_cut_gets_what_it_missed(on: Framework) {
    run(on, async |browser| {
        connect(browser, "ada", "default").await;
        connect(browser, "bob", "default").await;
        send(browser, "broadcast", None, "before").await;
        shows(browser, "ada", &["before"]).await;
        let seen = last_event_id(browser).await;
        assert!(seen.starts_with('~') && seen.ends_with(".1"), "{seen}");
        // All is prepared: what is missed has to be sent before the browser comes back.
        browser.fill("#send-text", "missed").await;
        cut(browser, "ada").await;
        browser.click("#send-button").await;
        let reach = "Reaches 1 of the 2 streams on this page, and 1 more on return.";
        browser.text_is("#send-reach", reach).await;
        picture(browser, "page-cut", on).await;

        let resume = format!("{} .resume", card("ada"));
        let caught_up = "Caught up: 1 replayed, 0 skipped";
        browser.text_is(&resume, caught_up).await;
        send(browser, "broadcast", None, "live").await;
        shows(browser, "ada", &["live", "missed", "before"]).await;
        shows(browser, "bob", &["live", "missed", "before"]).await;
        assert_eq!(replayed(browser, "ada").await, ["missed"]);
        assert_eq!(replayed(browser, "bob").await, [""; 0]);
        assert!(last_event_id(browser).await.ends_with(".3"));
        for (counter, expected) in [
            ("history-events", "3"),
            ("resumes", "1"),
            ("replayed", "1"),
            ("gaps", "0"),
            ("duplicates", "0"),
        ] {
            browser.text_is(&format!("#info-{counter}"), expected).await;
        }
        picture(browser, "page-resumed", on).await;
    })
    .await;
}

async fn what_is_missing_is_shown(on: Framework) {
    run_with(
        on,
        BrowserKind::Chromium,
        &["--history", "1"],
        async |browser| {
            connect(browser, "ada", "default").await;
            send(browser, "broadcast", None, "before").await;
            shows(browser, "ada", &["before"]).await;
            cut(browser, "ada").await;
            for _ in 0..3 {
                browser.click("#send-button").await;
            }
            let resume = format!("{} .resume", card("ada"));
            let caught_up = "Caught up after a gap: 1 replayed, 0 skipped";
            browser.text_is(&resume, caught_up).await;
            shows(browser, "ada", &["before", "before"]).await;
            let gap = format!(r#"{} .entry[data-event="gap"] .entry-data"#, card("ada"));
            let told = "Something is missing here: the server no longer keeps events that old.";
            browser.text_is(&gap, told).await;
            browser.text_is("#info-gaps", "1").await;
            picture(browser, "page-gap", on).await;
        },
    )
    .await;
}

async fn last_event_id(browser: &Browser) -> String {
    let id = browser.find(&format!("{} .last-id", card("ada"))).await;
    id.text().await.unwrap()
}

/// The `connected` events in ada's log.
async fn connections(browser: &Browser) -> Vec<String> {
    let css = format!(r#"{} .entry[data-event="connected"]"#, card("ada"));
    browser.texts(&css).await
}

async fn what_an_application_does_is_shown(on: Framework) {
    run(on, async |browser| {
        connect(browser, "ada", "admins").await;
        for (action, event) in [
            ("notify", "notification"),
            ("message", "new_message"),
            ("progress", "progress"),
            ("alert", "alert"),
            ("maintenance", "maintenance"),
        ] {
            let select = format!("#app-action option:nth-child({})", position(action));
            browser.click(&select).await;
            browser.click("#app-button").await;
            let entry = format!("{} .entry[data-event='{event}']", card("ada"));
            browser.find(&entry).await;
        }
        browser.fill("#app-body", "{").await;
        browser.click("#app-button").await;
        browser.find("#app-result[data-ok='false']").await;
        picture(browser, "page-application", on).await;
    })
    .await;
}

/// Where an action stands in the page's list, from 1 on.
fn position(action: &str) -> usize {
    const ACTIONS: [&str; 8] = [
        "notify",
        "message",
        "progress",
        "follow",
        "unfollow",
        "update",
        "maintenance",
        "alert",
    ];
    1 + ACTIONS.iter().position(|it| *it == action).unwrap()
}
