//! The page in a real browser.

use std::path::Path;

use sse_browser::{Browser, BrowserKind};

use crate::support::{PASSWORD, Server, note};

async fn picture(browser: &Browser, name: &str) {
    let folder: &Path = env!("CARGO_TARGET_TMPDIR").as_ref();
    browser
        .picture(&folder.join(format!("gateway-{name}.png")))
        .await;
}

#[tokio::test]
async fn an_important_event_comes_again_until_it_is_acknowledged() {
    let server = Server::with(&[("STREAMS__HEARTBEAT", "2s")]).await;
    let mut service = server.service().await;
    let important = gateway::proto::PushToUsersRequest {
        important: true,
        event: "invoice".to_owned(),
        ..note("ada", "\"<img src=x onerror=document.title='owned'>\"")
    };
    service.push_to_users(important).await.unwrap();
    let url = format!("http://{}/", server.http);
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.fill("#user", "ada").await;
        browser.fill("#password", "wrong").await;
        browser.click("#login").await;
        browser
            .text_is("#note", "there is no such user with such a password")
            .await;
        browser.fill("#password", PASSWORD).await;
        browser.click("#login").await;
        browser.text_is("#status", "connected").await;
        browser.text_is("#initial", "1").await;
        const INVOICE: &str = "#log li[data-event='invoice']";
        for times in 1..=3 {
            browser
                .until(&format!(
                    "document.querySelectorAll(\"{INVOICE}\").length === {times}"
                ))
                .await;
            browser
                .until("document.querySelector('#last').textContent !== 'none'")
                .await;
            if times < 3 {
                browser.click("#cut").await;
                browser.text_is("#status", "cut").await;
                browser.click("#open").await;
                browser.text_is("#status", "connected").await;
            }
        }
        let text = browser.texts(INVOICE).await.pop().unwrap();
        assert!(text.contains("<img src=x onerror"), "{text}");
        browser.click("#ack").await;
        browser.text_is("#acked", "1 acknowledged, 0 left").await;
        browser
            .until("document.querySelector('#periodic').textContent >= 1")
            .await;
        picture(browser, "acknowledged").await;
        browser.click("#cut").await;
        browser.click("#open").await;
        browser.text_is("#status", "connected").await;
        service
            .push_to_users(note("ada", "\"later\""))
            .await
            .unwrap();
        browser
            .until("document.querySelectorAll(\"#log li[data-event='note']\").length === 1")
            .await;
        assert_eq!(browser.texts(INVOICE).await.len(), 3);
        browser.click("#logout").await;
        browser.text_is("#status", "revoked").await;
        picture(browser, "revoked").await;
        browser.click("#open").await;
        browser.text_is("#status", "refused").await;
        browser.until("document.title === 'Push gateway'").await;
    })
    .await;
}
