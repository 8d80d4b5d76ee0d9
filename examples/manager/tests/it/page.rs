//! The page in a real browser.

use std::{path::Path, time::Duration};

use sse_browser::{Browser, BrowserKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};

use crate::{Framework, Server, on_each_framework};

on_each_framework! {
    two_tabs_make_one_replacement,
    a_page_of_an_allowed_origin_reads_the_stream,
}

async fn login(browser: &Browser, user: &str) {
    browser.fill("#user", user).await;
    browser.click("#login").await;
    browser.text_is("#status", "connected").await;
}

/// What a page shows of a stream that was replaced.
const REPLACED: &str = "#log li[data-event='replaced']";

async fn two_tabs_make_one_replacement(on: Framework) {
    let server = Server::start(on, &[]).await;
    let url = format!("http://{}/", server.0.addr);
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.text_is("#status", "no stream").await;
        login(browser, "ada").await;
        browser.text_is("#heartbeats", "1").await;
        let (page, first) = (browser.page(), browser.page().window().await.unwrap());
        let second = page.new_window(true).await.unwrap().handle;
        page.switch_to_window(second.clone()).await.unwrap();
        page.goto(&url).await.unwrap();
        // By the same cookie.
        browser.text_is("#status", "connected").await;

        page.switch_to_window(first.clone()).await.unwrap();
        browser.text_is("#status", "replaced").await;
        // Were the page to come back, the other would be replaced within its few seconds of waiting.
        sleep(Duration::from_secs(5)).await;
        assert_eq!(browser.texts(REPLACED).await.len(), 1);
        browser.text_is("#status", "replaced").await;
        picture(browser, "replaced", on).await;
        page.switch_to_window(second.clone()).await.unwrap();
        browser.text_is("#status", "connected").await;
        assert_eq!(browser.texts(REPLACED).await.len(), 0);

        browser
            .fill("#text", "<img src=x onerror=document.title='owned'>")
            .await;
        browser.click("#send").await;
        browser.text_is("#sent", "1 stream").await;
        let news = "newsada: <img src=x onerror=document.title='owned'>";
        browser.text_is("#log li[data-event='news']", news).await;
        browser.fill("#other", "ada").await;
        browser.click("#ask").await;
        browser.text_is("#there", "connected").await;
        picture(browser, "connected", on).await;

        // And back, if one wants to.
        page.switch_to_window(first).await.unwrap();
        browser.click("#connect").await;
        browser.text_is("#status", "connected").await;
        page.switch_to_window(second).await.unwrap();
        browser.text_is("#status", "replaced").await;
        browser.click("#logout").await;
        browser.text_is("#status", "logged out").await;
    })
    .await;
}

async fn a_page_of_an_allowed_origin_reads_the_stream(on: Framework) {
    let origin = another_origin().await;
    let args = ["--allow-origin", &origin, "--allow-credentials"];
    let (server, strict) = (Server::start(on, &args).await, Server::start(on, &[]).await);
    let url = format!("http://{}/", server.0.addr);
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        login(browser, "ada").await;
        browser.page().goto(&origin).await.unwrap();
        for (name, addr) in [("allowed", server.0.addr), ("refused", strict.0.addr)] {
            let open = format!(
                "const it = new EventSource('http://{addr}/events', {{ withCredentials: true }}); \
                 it.addEventListener('connected', (event) => {{ window.{name} = event.data; }}); \
                 it.addEventListener('error', () => {{ window.{name} = 'refused'; }});"
            );
            browser.script(&open).await;
        }
        browser.until("window.refused === 'refused'").await;
        browser
            .until("window.allowed?.includes('\"client_id\":\"ada\"')")
            .await;
    })
    .await;
}

/// Where a page is that has nothing to do with the server; the cookie goes with its requests all the
/// same, because a port makes no other site.
async fn another_origin() -> String {
    const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\
        connection: close\r\n\r\n<!doctype html>";
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                drop(socket.read(&mut [0; 4_096]).await);
                drop(socket.write_all(PAGE).await);
            });
        }
    });
    origin
}

/// Leaves a picture for people to look at.
async fn picture(browser: &Browser, name: &str, on: Framework) {
    let folder: &Path = env!("CARGO_TARGET_TMPDIR").as_ref();
    browser
        .picture(&folder.join(format!("manager-{name}-{}.png", on.0)))
        .await;
}
