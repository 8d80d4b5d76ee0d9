//! The page in a real browser.

use std::path::{Path, PathBuf};

use sse_browser::{Browser, BrowserKind};

use crate::Ticker;

async fn picture(browser: &Browser, name: &str) {
    let folder: &Path = env!("CARGO_TARGET_TMPDIR").as_ref();
    let path: PathBuf = folder.join(format!("ticker-{name}.png"));
    browser.picture(&path).await;
}

async fn open(browser: &Browser, streams: usize) {
    browser.fill("#count", &streams.to_string()).await;
    browser.click("#open").await;
}

#[tokio::test]
async fn over_http_1_a_tab_has_six_streams() {
    let ticker = Ticker::start().await;
    let url = format!("http://{}/", ticker.program.addr);
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.text_is("#protocol", "HTTP/1.1").await;
        browser.text_is("#page-protocol", "http/1.1").await;
        open(browser, 9).await;
        // And the one that is shared.
        browser.text_is("#open-count", "5 of 10 open").await;
        picture(browser, "http-1").await;
        browser.click("#close").await;
        browser.text_is("#open-count", "0 of 0 open").await;
    })
    .await;
}

#[tokio::test]
async fn over_http_2_a_tab_has_as_many_as_it_wants() {
    let ticker = Ticker::start().await;
    let url = format!("https://{}/", ticker.secure);
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.text_is("#protocol", "HTTP/2.0").await;
        browser.text_is("#page-protocol", "h2").await;
        open(browser, 29).await;
        browser.text_is("#open-count", "30 of 30 open").await;
        let times = "[...document.querySelectorAll('#shared, #own .time')]";
        browser
            .until(&format!(
                "{times}.every(it => it.textContent.endsWith('Z'))"
            ))
            .await;
        picture(browser, "http-2").await;
    })
    .await;
}

#[tokio::test]
async fn the_page_of_chunks_shows_each_piece_when_it_is_there() {
    let ticker = Ticker::start().await;
    for url in [
        format!("http://{}/", ticker.program.addr),
        format!("https://{}/", ticker.secure),
    ] {
        Browser::run(BrowserKind::Chromium, &url, async |browser| {
            // In a frame: the browser's driver waits for a page to be there whole.
            let open = "window.frame = document.createElement('iframe'); \
                        frame.src = '/chunks'; document.body.append(frame);";
            browser.script(open).await;
            let count = "return frame.contentDocument.querySelectorAll('.chunks li').length";
            let (mut seen, mut pieces) = (Vec::new(), 0);
            while pieces < 10 {
                pieces = browser.script(count).await.as_u64().unwrap();
                if seen.last() != Some(&pieces) {
                    seen.push(pieces);
                }
            }
            assert!(seen.len() > 3, "{url}: not piece by piece: {seen:?}");
            browser
                .until("frame.contentDocument.querySelector('#done') !== null")
                .await;
        })
        .await;
    }
}
