//! A browser with one page.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use tokio::time::timeout;

use crate::{BrowserKind, driver::Driver};

/// How long the browser may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    kind: BrowserKind,
    page: Client,
    driver: Driver,
}

impl Browser {
    /// Runs `test` on the page at `url`. The browser ends with it, however it ends.
    ///
    /// # Panics
    ///
    /// With the test, or where there is no such browser.
    pub async fn run(kind: BrowserKind, url: &str, test: impl AsyncFnOnce(&Self)) {
        let browser = Self::open(kind, url).await;
        let tested = AssertUnwindSafe(test(&browser)).catch_unwind().await;
        browser.close().await;
        if let Err(panic) = tested {
            resume_unwind(panic);
        }
    }

    /// Opens the page at `url`. Whoever opens it [closes](Self::close) it.
    ///
    /// # Panics
    ///
    /// There is no such browser, or no page.
    pub async fn open(kind: BrowserKind, url: &str) -> Self {
        let driver = Driver::start(kind).await;
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(serde_json::from_value(kind.capabilities()).expect("an object"))
            .connect(&driver.url())
            .await
            .unwrap_or_else(|error| panic!("{kind:?}: {error}; run `cargo xtask setup`"));
        page.goto(url).await.expect("a page");
        Self { kind, page, driver }
    }

    /// Which browser it is.
    #[must_use]
    pub const fn kind(&self) -> BrowserKind {
        self.kind
    }

    /// The page, to do with whatever a driver can.
    #[must_use]
    pub const fn page(&self) -> &Client {
        &self.page
    }

    /// Waits for an element.
    ///
    /// # Panics
    ///
    /// It doesn't come.
    pub async fn find(&self, css: &str) -> Element {
        let wait = self.page.wait().at_most(PATIENCE);
        let found = wait.for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Puts `text` into a field.
    ///
    /// # Panics
    ///
    /// There is no such field.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Clicks on an element.
    ///
    /// # Panics
    ///
    /// There is no such element.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.expect("a click");
    }

    /// The texts of the elements, in the page's order.
    ///
    /// # Panics
    ///
    /// The page is gone.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        // In one step: what is there now may be gone with the next.
        let script = "return [...document.querySelectorAll(arguments[0])].map(it => it.innerText)";
        let texts = self.page.execute(script, vec![css.into()]).await;
        serde_json::from_value(texts.expect("a page")).expect("texts")
    }

    /// Waits until there are at least as many such elements as texts, which have to be theirs.
    ///
    /// # Panics
    ///
    /// They are others, or too few.
    pub async fn texts_are(&self, css: &str, expected: &[&str]) {
        let mut texts = Vec::new();
        let shown = timeout(PATIENCE, async {
            while texts.len() < expected.len() {
                texts = self.texts(css).await;
            }
        });
        let shown = shown.await;
        assert!(shown.is_ok(), "{css} never showed {expected:?}: {texts:?}");
        assert_eq!(texts, expected, "{css}");
    }

    /// Waits until the element has this text.
    ///
    /// # Panics
    ///
    /// It never has.
    pub async fn text_is(&self, css: &str, expected: &str) {
        self.find(css).await;
        let mut text = String::new();
        let shown = timeout(PATIENCE, async {
            while text != expected {
                text = self.texts(css).await.into_iter().next().unwrap_or_default();
            }
        });
        assert!(shown.await.is_ok(), "{css}: {text:?}, never {expected:?}");
    }

    /// Runs a script in the page; what it returns.
    ///
    /// # Panics
    ///
    /// It fails.
    pub async fn script(&self, script: &str) -> Value {
        let returned = self.page.execute(script, Vec::new()).await;
        returned.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until the script's value is true.
    ///
    /// # Panics
    ///
    /// It fails, or never is.
    pub async fn until(&self, script: &str) {
        let script = format!("return {script}");
        let is_true = timeout(PATIENCE, async {
            while self.script(&script).await != true {}
        });
        assert!(is_true.await.is_ok(), "never: {script}");
    }

    /// Leaves a picture of the page at `path`, for people to look at.
    ///
    /// # Panics
    ///
    /// There is no such place.
    pub async fn picture(&self, path: &Path) {
        let picture = self.page.screenshot().await.expect("a page");
        std::fs::write(path, picture).expect("a place for a picture");
    }

    /// Ends the browser.
    ///
    /// # Panics
    ///
    /// It doesn't end.
    pub async fn close(self) {
        self.page.close().await.expect("the browser ends");
        self.driver.end().await;
    }
}
