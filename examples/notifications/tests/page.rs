//! The page in a real Chromium.

#[macro_use]
#[path = "support/frameworks.rs"]
mod frameworks;
mod support;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use frameworks::Framework;
use futures_util::FutureExt;
use serde_json::json;
use tokio::process::{Child, Command};

use support::{Server, spawn};
use tempfile::TempDir;

on_each_framework! {
    the_page_shows_the_three_send_modes,
    text_from_others_never_becomes_html,
    a_disconnected_stream_comes_back_by_itself,
    a_stream_that_is_cut_gets_what_it_missed,
    what_is_missing_is_shown,
}

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(15);

struct Browser {
    page: Client,
    _driver: Child,
    /// Where the browser leaves what it doesn't clean up.
    _scratch: TempDir,
}

impl Browser {
    /// Runs `test` on a new server's page, with no stream yet. The browser ends with it, however
    /// it ends.
    async fn run(on: Framework, test: impl AsyncFnOnce(&Self)) {
        Self::run_with(on, &[], test).await;
    }

    /// The same, with these arguments for the server.
    async fn run_with(on: Framework, args: &[&str], test: impl AsyncFnOnce(&Self)) {
        let server = on.start(args).await;
        let browser = Self::open(&server).await;
        let tested = AssertUnwindSafe(test(&browser)).catch_unwind().await;
        browser.page.close().await.expect("the browser ends");
        if let Err(panic) = tested {
            resume_unwind(panic);
        }
    }

    async fn open(server: &Server) -> Self {
        let scratch = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", scratch.path());
        let (driver, mut lines) = spawn(&mut command);
        let port = loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("chromedriver starts");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // What it prints later goes nowhere, but has to be read.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": "/usr/bin/chromium",
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    "--disable-background-networking", "--disable-component-update",
                    "--disable-sync", "--no-first-run", "--window-size=1280,1400",
                ],
            },
        });
        let page = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(serde_json::from_value(capabilities).unwrap())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session");
        page.goto(&format!("http://{}/?auto=0", server.addr))
            .await
            .unwrap();
        Self {
            page,
            _driver: driver,
            _scratch: scratch,
        }
    }

    async fn find(&self, css: &str) -> Element {
        let found = self
            .page
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Css(css))
            .await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Opens a stream in the page, and waits until it is open.
    async fn connect(&self, client: &str, group: &str) {
        self.fill("#connect-client", client).await;
        self.fill("#connect-group", group).await;
        self.click("#connect-button").await;
        self.find(&format!(r#"{}[data-status="open"]"#, card(client)))
            .await;
    }

    async fn send(&self, mode: &str, to: Option<(&str, &str)>, text: &str) {
        self.click(&format!("#mode-{mode}")).await;
        if let Some((field, name)) = to {
            self.fill(field, name).await;
        }
        self.fill("#send-text", text).await;
        self.click("#send-button").await;
    }

    /// The texts of the notifications in a stream's log, newest first.
    async fn received(&self, client: &str) -> Vec<String> {
        let css = format!(
            r#"{} .entry[data-event="notification"] .entry-data"#,
            card(client)
        );
        let mut texts = Vec::new();
        for entry in self.page.find_all(Locator::Css(&css)).await.unwrap() {
            texts.push(entry.text().await.unwrap());
        }
        texts
    }

    /// Waits until a stream's log shows these, newest first, and nothing else.
    async fn shows(&self, client: &str, expected: &[&str]) {
        let shown = tokio::time::timeout(PATIENCE, async {
            while self.received(client).await.len() < expected.len() {
                tokio::task::yield_now().await;
            }
        });
        shown
            .await
            .unwrap_or_else(|_| panic!("{client} never got {expected:?}"));
        assert_eq!(self.received(client).await, expected, "{client}");
    }

    /// The texts of the notifications in a stream's log that are marked as replayed, newest first.
    async fn replayed(&self, client: &str) -> Vec<String> {
        let marked = ".entry:has(.entry-replayed:not([hidden])) .entry-data";
        let css = format!("{} {marked}", card(client));
        let mut texts = Vec::new();
        for entry in self.page.find_all(Locator::Css(&css)).await.unwrap() {
            texts.push(entry.text().await.unwrap());
        }
        texts
    }

    /// Has the server cut a stream, and waits until the page has seen it.
    async fn cut(&self, client: &str) {
        self.click(&format!("{} .stream-cut", card(client))).await;
        let away = format!(r#"{}[data-status="reconnecting"]"#, card(client));
        self.find(&away).await;
    }

    /// Waits until an element shows this text.
    async fn counter(&self, css: &str, expected: &str) {
        let counts = tokio::time::timeout(PATIENCE, async {
            while self.find(css).await.text().await.unwrap() != expected {
                tokio::task::yield_now().await;
            }
        });
        counts
            .await
            .unwrap_or_else(|_| panic!("{css} never showed {expected}"));
    }

    async fn script(&self, script: &str) -> serde_json::Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    /// Leaves a picture for people to look at.
    async fn picture(&self, name: &str, on: Framework) {
        let picture = self.page.screenshot().await.unwrap();
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.png", on.0));
        std::fs::write(path, picture).unwrap();
    }
}

fn card(client: &str) -> String {
    format!(r#".stream[data-client="{client}"]"#)
}

async fn the_page_shows_the_three_send_modes(on: Framework) {
    Browser::run(on, async |browser| {
        browser.connect("ada", "default").await;
        browser.connect("bob", "admins").await;
        browser.connect("eve", "admins").await;
        browser.counter("#info-connections", "3").await;
        browser.counter("#info-groups", "2").await;

        let to_ada = Some(("#send-client", "ada"));
        browser.send("unicast", to_ada, "only ada").await;
        browser.shows("ada", &["only ada"]).await;
        browser
            .send("group", Some(("#send-group", "admins")), "admins")
            .await;
        browser.shows("bob", &["admins"]).await;
        browser.shows("eve", &["admins"]).await;
        browser.send("broadcast", None, "everybody").await;
        browser.shows("ada", &["everybody", "only ada"]).await;
        browser.shows("bob", &["everybody", "admins"]).await;
        browser.shows("eve", &["everybody", "admins"]).await;
        for mode in ["unicast", "group", "broadcast"] {
            browser
                .counter(&format!("#info-published-{mode}"), "1")
                .await;
        }
        browser.counter("#info-delivered", "6").await;
        let delay = browser.find(&format!("{} .entry-delay", card("ada"))).await;
        assert!(delay.text().await.unwrap().ends_with("ms"));
        browser.picture("page-modes", on).await;
    })
    .await;
}

/// What would change the page if it were read as HTML.
const HOSTILE: &str =
    r#"<img src=x onerror="document.title='hacked'"><script>document.title='hacked'</script>"#;

async fn text_from_others_never_becomes_html(on: Framework) {
    Browser::run(on, async |browser| {
        browser.connect("ada", "default").await;
        browser.send("broadcast", None, HOSTILE).await;
        browser.shows("ada", &[HOSTILE]).await;
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
            browser.send("broadcast", None, &data.to_string()).await;
            let entry = format!(r#"{} [data-event="{event}"] .entry-data"#, card("ada"));
            browser.counter(&entry, &shown.replace('_', HOSTILE)).await;
        }
        let id = format!("{} .last-id", card("ada"));
        browser.counter(&id, "<i>7</i>").await;
        let resume = format!("{} .resume", card("ada"));
        let shown = format!("Caught up after a gap: {HOSTILE} replayed, 0 skipped");
        browser.counter(&resume, &shown).await;
        browser.connect("<i>eve</i>", "<b>x</b>").await;
        let who = browser.find(".who [data-client='<i>eve</i>']").await;
        assert!(who.text().await.unwrap().contains("<i>eve</i>"));
        let elements = "document.querySelectorAll('img, main script, i:not(.pulse)').length";
        let elements = browser.script(&format!("return {elements}")).await;
        assert_eq!(elements, json!(0));
        assert_ne!(browser.page.title().await.unwrap(), "hacked");
    })
    .await;
}

async fn a_disconnected_stream_comes_back_by_itself(on: Framework) {
    Browser::run(on, async |browser| {
        browser.connect("ada", "default").await;
        let connection = connection_ids(browser).await;
        browser.click(".who [data-client='ada'] .disconnect").await;
        browser
            .find(&format!(r#"{}[data-status="reconnecting"]"#, card("ada")))
            .await;
        browser
            .find(&format!(r#"{}[data-status="open"]"#, card("ada")))
            .await;
        assert_eq!(connection.len() + 1, connection_ids(browser).await.len());
        browser
            .send("unicast", Some(("#send-client", "ada")), "back")
            .await;
        browser.shows("ada", &["back"]).await;
        browser.picture("page-reconnected", on).await;
    })
    .await;
}

async fn a_stream_that_is_cut_gets_what_it_missed(on: Framework) {
    Browser::run(on, async |browser| {
        browser.connect("ada", "default").await;
        browser.connect("bob", "default").await;
        browser.send("broadcast", None, "before").await;
        browser.shows("ada", &["before"]).await;
        let seen = last_event_id(browser).await;
        assert!(seen.starts_with('~') && seen.ends_with(".1"), "{seen}");
        // All is prepared: what is missed has to be sent before the browser comes back.
        browser.fill("#send-text", "missed").await;
        browser.cut("ada").await;
        browser.click("#send-button").await;
        let reach = "Reaches 1 of the 2 streams on this page, and 1 more on return.";
        browser.counter("#send-reach", reach).await;
        browser.picture("page-cut", on).await;

        let resume = format!("{} .resume", card("ada"));
        let caught_up = "Caught up: 1 replayed, 0 skipped";
        browser.counter(&resume, caught_up).await;
        browser.send("broadcast", None, "live").await;
        browser.shows("ada", &["live", "missed", "before"]).await;
        browser.shows("bob", &["live", "missed", "before"]).await;
        assert_eq!(browser.replayed("ada").await, ["missed"]);
        assert_eq!(browser.replayed("bob").await, [""; 0]);
        assert!(last_event_id(browser).await.ends_with(".3"));
        for (counter, expected) in [
            ("history-events", "3"),
            ("resumes", "1"),
            ("replayed", "1"),
            ("gaps", "0"),
            ("duplicates", "0"),
        ] {
            browser.counter(&format!("#info-{counter}"), expected).await;
        }
        browser.picture("page-resumed", on).await;
    })
    .await;
}

async fn what_is_missing_is_shown(on: Framework) {
    Browser::run_with(on, &["--history", "1"], async |browser| {
        browser.connect("ada", "default").await;
        browser.send("broadcast", None, "before").await;
        browser.shows("ada", &["before"]).await;
        browser.cut("ada").await;
        for _ in 0..3 {
            browser.click("#send-button").await;
        }
        let resume = format!("{} .resume", card("ada"));
        let caught_up = "Caught up after a gap: 1 replayed, 0 skipped";
        browser.counter(&resume, caught_up).await;
        browser.shows("ada", &["before", "before"]).await;
        let gap = format!(r#"{} .entry[data-event="gap"] .entry-data"#, card("ada"));
        let told = "Something is missing here: the server no longer keeps events that old.";
        browser.counter(&gap, told).await;
        browser.counter("#info-gaps", "1").await;
        browser.picture("page-gap", on).await;
    })
    .await;
}

async fn last_event_id(browser: &Browser) -> String {
    let id = browser.find(&format!("{} .last-id", card("ada"))).await;
    id.text().await.unwrap()
}

/// The `connected` events in ada's log.
async fn connection_ids(browser: &Browser) -> Vec<Element> {
    let css = format!(r#"{} .entry[data-event="connected"]"#, card("ada"));
    browser.page.find_all(Locator::Css(&css)).await.unwrap()
}
