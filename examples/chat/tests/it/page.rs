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

const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What becomes of the first stream on a way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// It is cut before it knows how things stand.
    IsCut,
    /// Somebody in between refuses it.
    IsRefused,
}

async fn way(server: SocketAddr, first: First) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move { carry(client, server, first, &is_over).await });
        }
    });
    addr
}

/// Carries what goes to and fro, until it is over with the first stream.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    first: First,
    is_over: &AtomicBool,
) -> io::Result<()> {
    let is_first = |what| first == what && !is_over.swap(true, Ordering::SeqCst);
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = ([0; 8_192], [0; 8_192]);
    let mut is_stream = false;
    loop {
        tokio::select! {
            len = client.read(&mut asked) => match len? {
                0 => return Ok(()),
                len => {
                    is_stream |= asked.starts_with(b"GET /events");
                    if is_stream && is_first(First::IsRefused) {
                        return client.write_all(REFUSED).await;
                    }
                    server.write_all(&asked[..len]).await?;
                }
            },
            len = server.read(&mut answered) => match len? {
                0 => return Ok(()),
                len => {
                    let answer = &answered[..len];
                    let state = answer.windows(STATE.len()).position(|part| part == STATE);
                    if let Some(at) = state && is_stream && is_first(First::IsCut) {
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
    let way = way(server.addr(), First::IsCut).await;
    let bob = server.join("bob").await;
    bob.say("before").await;
    Browser::run(
        BrowserKind::Chromium,
        &format!("http://{way}/"),
        async |browser| {
            browser.fill("#nickname", "ada").await;
            browser.click("#join button").await;
            browser.text_is("#me", "ada").await;
            // The browser comes back without an id, as nothing has one yet, and so it is told how things stand.
            browser.texts_are(TEXTS, &["before"]).await;
            bob.say("after").await;
            browser.texts_are(TEXTS, &["before", "after"]).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_page_that_was_refused_tries_again() {
    let server = Server::start(&[]).await;
    let way = way(server.addr(), First::IsRefused).await;
    let url = format!("http://{way}/");
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.fill("#nickname", "ada").await;
        browser.click("#join button").await;
        browser
            .text_is("#status", "no stream, trying again soon")
            .await;
        browser.text_is("#status", "connected").await;
        browser.texts_are("#online button bdi", &["ada"]).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_written_to_one_goes_to_nobody_else_of_his_name() {
    let server = Server::start(&["--grace", "1m"]).await;
    let url = format!("http://{}/", server.addr());
    let (bob, eve) = (server.join("bob").await, server.join("eve").await);
    let _bobs = bob.open().await;
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        join(browser, "ada").await;
        write_to(browser, "bob").await;
        // Whoever is on the list by keyboard stays there when it changes.
        let focus = "document.querySelector('[data-name=bob]').focus()";
        browser.script(focus).await;
        let _eves = eve.open().await;
        browser
            .texts_are("#online button bdi", &["ada", "bob", "eve"])
            .await;
        browser
            .until("document.activeElement.dataset.name === 'bob'")
            .await;
        bob.leave().await;
        browser.until("online.children.length === 2").await;
        browser
            .until("document.activeElement.dataset.name === 'eve'")
            .await;
        browser.text_is("#to-name", "bob alone").await;

        let mallory = server.join("BOB").await;
        let (mut mallorys, _) = mallory.open().await;
        browser.text_is("#to-name", "nobody yet").await;
        let told = browser.texts("#messages .system").await;
        let is_told = told.iter().any(|it| it.starts_with("bob has left"));
        assert!(is_told, "{told:?}");
        browser.fill("#text", "a secret").await;
        browser.click("#send").await;
        browser
            .text_is(
                "#note",
                "Choose first to whom it goes: a name, or everybody.",
            )
            .await;
        browser.click("#to-all").await;
        say(browser, "hello").await;
        assert_eq!(crate::chat(&mut mallorys).await["text"], "hello");
    })
    .await;
}

/// Makes the page's next request to send wait until it is let go.
const HOLD: &str = "
    const [send, gates] = [window.fetch, []];
    window.held = gates;
    window.fetch = async (path, ...how) => {
        if (path === '/send' && gates.length === 0) await new Promise((go) => gates.push(go));
        return send(path, ...how);
    };";

#[tokio::test]
async fn what_is_sent_keeps_its_order_and_whom_it_is_of() {
    let server = Server::start(&[]).await;
    let url = format!("http://{}/", server.addr());
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        join(browser, "ada").await;
        browser.script(HOLD).await;
        for text in ["one", "two"] {
            browser.fill("#text", text).await;
            browser.click("#send").await;
        }
        browser.until("held.length === 1").await;
        browser.script("held[0]()").await;
        browser.texts_are(TEXTS, &["one", "two"]).await;

        // An answer to her who has left isn't for her who comes then.
        browser.script(HOLD).await;
        browser.fill("#text", "late").await;
        browser.click("#send").await;
        browser.until("held.length === 1").await;
        browser.click("#leave").await;
        browser.text_is("#note", "You have left.").await;
        join(browser, "eve").await;
        browser.script("held[0]()").await;
        browser
            .text_is("#note", "You have joined anew since.")
            .await;
        browser.text_is("#me", "eve").await;
        browser.text_is("#status", "connected").await;
        say(browser, "me").await;
        browser.texts_are(TEXTS, &["one", "two", "me"]).await;
    })
    .await;
}
