//! The `EventSource` of a real Chromium.

use std::{net::SocketAddr, process::Stdio, sync::Arc, time::Duration};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::sleep,
};

use crate::{cast::Member, ledger::Ledger};

/// How often the page is asked what came.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A page that follows streams.
#[derive(Debug)]
pub(crate) struct Browser {
    page: Client,
    _driver: Child,
    /// Where the browser leaves what it doesn't clean up.
    _scratch: TempDir,
}

impl Browser {
    /// A page that follows the streams of `members`.
    pub(crate) async fn open(addr: SocketAddr, members: &[Member]) -> Self {
        let scratch = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}"));
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.expect("chromedriver starts");
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
                    "--disable-sync", "--no-first-run",
                ],
            },
        });
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(serde_json::from_value(capabilities).unwrap())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session");
        let streams = members.iter().map(|member| ("stream", member.path()));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(streams)
            .finish();
        page.goto(&format!("http://{addr}/?{query}")).await.unwrap();
        Self {
            page,
            _driver: driver,
            _scratch: scratch,
        }
    }

    /// Takes what the page has got to the ledger, for ever.
    pub(crate) fn follow(&self, ledger: Arc<Ledger>) -> impl Future<Output = ()> + use<> {
        let page = self.page.clone();
        async move {
            loop {
                let rows = page.execute("return take()", Vec::new()).await.unwrap();
                let rows: Vec<_> = serde_json::from_value(rows).unwrap();
                rows.into_iter().for_each(|row| ledger.got_row(row));
                sleep(ASK_EVERY).await;
            }
        }
    }

    pub(crate) async fn close(self) {
        self.page.close().await.expect("the browser ends");
    }
}
