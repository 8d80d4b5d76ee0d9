//! The page in a real browser.

use std::path::Path;

use sse_browser::{Browser, BrowserKind};

use crate::Server;

/// Text that would do something if it weren't text.
const MARKUP: &str = "<img src=x onerror=document.title='owned'>";

const TEXTS: &str = "#messages .message .text";
const PRIVATE: &str = "#messages .message.private .text";

async fn join(browser: &Browser, nickname: &str) {
    browser.fill("#nickname", nickname).await;
    browser.click("#join button").await;
    browser.text_is("#status", "connected").await;
    browser.text_is("#me", nickname).await;
}

async fn say(browser: &Browser, text: &str) {
    browser.fill("#text", text).await;
    browser.click("#send").await;
    // It is emptied once the server has it.
    browser
        .until("document.querySelector('#text').value === ''")
        .await;
}

/// Addresses whatever is said next to one alone.
async fn write_to(browser: &Browser, name: &str) {
    browser.click(&format!("[data-name='{name}']")).await;
    browser.text_is("#to-name", &format!("{name} alone")).await;
}

/// Leaves a picture for people to look at.
async fn picture(browser: &Browser, name: &str) {
    let folder: &Path = env!("CARGO_TARGET_TMPDIR").as_ref();
    let path = folder.join(format!("chat-{name}.png"));
    browser.picture(&path).await;
}

#[tokio::test]
async fn two_windows_talk_to_each_other() {
    let server = Server::start(&["--grace", "200ms"]).await;
    let url = format!("http://{}/", server.addr());
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        picture(browser, "join").await;
        join(browser, "ada").await;
        let (page, adas) = (browser.page(), browser.page().window().await.unwrap());
        let bobs = page.new_window(false).await.unwrap().handle;
        let switch = async |window: &_| page.switch_to_window(Clone::clone(window)).await.unwrap();
        switch(&bobs).await;
        page.goto(&url).await.unwrap();
        browser.fill("#nickname", "ADA").await;
        browser.click("#join button").await;
        browser.text_is("#note", "somebody has this nickname").await;
        join(browser, "bob").await;
        browser.texts_are("#online button bdi", &["ada", "bob"]).await;

        say(browser, "hello").await;
        say(browser, MARKUP).await;
        write_to(browser, "ada").await;
        say(browser, "psst\nada").await;
        let expected = ["hello", MARKUP, "psst\nada"];
        browser.texts_are(TEXTS, &expected).await;
        browser.texts_are("#messages .own .text", &expected).await;
        switch(&adas).await;
        browser.texts_are(TEXTS, &expected).await;
        browser.texts_are(PRIVATE, &["psst\nada"]).await;
        browser.texts_are("#messages .mark", &["private to you"]).await;
        assert!(browser.texts("#messages .own").await.is_empty());

        // What the other says meanwhile follows, and what one says oneself.
        browser.click("#cut").await;
        browser.text_is("#status", "cut").await;
        say(browser, "can anybody hear me?").await;
        switch(&bobs).await;
        say(browser, "only you").await;
        browser.click("#to-all").await;
        say(browser, "are you there?").await;
        switch(&adas).await;
        browser.texts_are(TEXTS, &expected).await;
        browser.click("#connect").await;
        browser.text_is("#status", "connected").await;
        let expected = [
            &expected[..],
            &["can anybody hear me?", "only you", "are you there?"],
        ];
        let expected = expected.concat();
        browser.texts_are(TEXTS, &expected).await;
        browser.texts_are("#online button bdi", &["ada", "bob"]).await;
        picture(browser, "room").await;

        // A reload is the same person, who hears all once.
        page.refresh().await.unwrap();
        browser.text_is("#status", "connected").await;
        browser.texts_are(TEXTS, &expected).await;
        say(browser, "back again").await;
        browser.texts_are("#messages .own .text", &["can anybody hear me?", "back again"]).await;

        switch(&bobs).await;
        let expected = [&expected[..], &["back again"]].concat();
        browser.texts_are(TEXTS, &expected).await;
        assert_eq!(browser.script("return document.title").await, "Chat");
        browser.click("#leave").await;
        browser.text_is("#status", "not joined").await;
        browser.text_is("#note", "You have left.").await;
        switch(&adas).await;
        browser.texts_are("#online button bdi", &["ada"]).await;
        browser.until("document.querySelector('#messages').lastElementChild.textContent.startsWith('bob is gone')").await;
    })
    .await;
}
