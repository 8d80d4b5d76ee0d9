//! The page in a real browser.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sse_browser::{Browser, BrowserKind};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{Person, Server};

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
    browser
        .until("document.querySelector('#send-form').ariaBusy === 'false'")
        .await;
}

/// Addresses whatever is said next to one alone.
async fn write_to(browser: &Browser, name: &str) {
    browser.click(&format!("[data-name='{name}']")).await;
    browser.text_is("#to-name", &format!("{name} alone")).await;
}

/// Waits until the page has said that it shows what is private.
async fn until_all_is_read(browser: &Browser, addr: SocketAddr) {
    let saved = browser
        .script("return sessionStorage.getItem('chat')")
        .await;
    let saved: serde_json::Value = serde_json::from_str(saved.as_str().unwrap()).unwrap();
    let person = Person {
        addr,
        nickname: saved["nickname"].as_str().unwrap().to_owned(),
        token: saved["token"].as_str().unwrap().to_owned(),
    };
    let read = timeout(sse_browser::PATIENCE, async {
        while person.read(0).await > 0 {}
    });
    read.await.expect("it has been read");
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
        let shift_enter = "\u{e008}\u{e007}\u{e008}";
        say(browser, &format!("psst{shift_enter}ada")).await;
        let expected = ["hello", MARKUP, "psst\nada"];
        browser.texts_are(TEXTS, &expected).await;
        browser.texts_are("#messages .own .text", &expected).await;
        switch(&adas).await;
        browser.texts_are(TEXTS, &expected).await;
        browser.texts_are(PRIVATE, &["psst\nada"]).await;
        browser.texts_are("#messages .mark", &["private to you"]).await;
        until_all_is_read(browser, server.addr()).await;
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

/// Where an event begins that a stream is told at its start.
const STATE: &[u8] = b"event: online_list";

/// A way to the server on which the first stream is cut before it knows how things stand.
async fn cutting_way(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let has_cut = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let has_cut = Arc::clone(&has_cut);
            tokio::spawn(async move { carry(client, server, &has_cut).await });
        }
    });
    addr
}

async fn carry(mut client: TcpStream, server: SocketAddr, has_cut: &AtomicBool) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = ([0; 8_192], [0; 8_192]);
    let mut is_stream = false;
    loop {
        tokio::select! {
            len = client.read(&mut asked) => match len? {
                0 => return Ok(()),
                len => {
                    is_stream |= asked.starts_with(b"GET /events");
                    server.write_all(&asked[..len]).await?;
                }
            },
            len = server.read(&mut answered) => match len? {
                0 => return Ok(()),
                len => {
                    let answer = &answered[..len];
                    let state = answer.windows(STATE.len()).position(|part| part == STATE);
                    if let Some(at) = state && is_stream && !has_cut.swap(true, Ordering::SeqCst) {
                        return client.write_all(&answer[..at]).await;
                    }
                    client.write_all(answer).await?;
                }
            },
        }
    }
}

#[tokio::test]
async fn a_page_that_was_cut_before_it_knew_anything_begins_anew() {
    let server = Server::start(&[]).await;
    let way = cutting_way(server.addr()).await;
    let bob = server.join("bob").await;
    bob.say("before").await;
    Browser::run(
        BrowserKind::Chromium,
        &format!("http://{way}/"),
        async |browser| {
            browser.fill("#nickname", "ada").await;
            browser.click("#join button").await;
            browser.text_is("#me", "ada").await;
            // The browser comes back with the id of the opening event.
            browser.texts_are(TEXTS, &["before"]).await;
            bob.say("after").await;
            browser.texts_are(TEXTS, &["before", "after"]).await;
        },
    )
    .await;
}
