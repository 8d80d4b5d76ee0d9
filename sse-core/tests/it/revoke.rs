//! Connections whose permission is taken back, or has run out.

use std::{sync::Arc, time::Duration};

use sse_core::*;

use crate::support::{
    Notebook, open, pass,
    resuming::{head, queue, returning},
    soon, subscribe, text, unread,
};

const CLOSED: &str = r#"closed {"reason":"signed-out"}"#;
const SIGNED_OUT: &str = "signed-out";

fn client(name: &str) -> Target {
    Target::client(ClientId::new(name).unwrap())
}

/// By which token a connection was opened.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Token(u8);

fn opened_by(token: Token) -> Target {
    let is_by = move |connection: &Connection| connection.attributes().get() == Some(&token);
    Target::matching(Predicate::new(is_by))
}

#[tokio::test]
async fn what_waits_is_not_delivered() {
    let builder = Hub::builder().max_event_bytes(1_000);
    let hub = builder.byte_budget(1_000_000).build().unwrap();
    let mut by_token = Vec::new();
    for token in [1, 1, 2] {
        let subscribe = subscribe("ada", &[]).attribute(Token(token));
        by_token.push(unread(&hub, subscribe).await);
    }
    hub.broadcast(text("secret")).await.unwrap();
    assert_eq!(hub.revoke(&opened_by(Token(1)), SIGNED_OUT), 2);
    hub.broadcast(text("later")).await.unwrap();
    let mut other = by_token.pop().unwrap();
    for reader in &mut by_token {
        assert_eq!(reader.read(), [CLOSED]);
        assert!(reader.ended);
    }
    assert_eq!(other.read(), ["connected", "secret", "later"]);
    let info = hub.info();
    assert_eq!((info.connections, info.ended.revoked), (1, 2));
    assert_eq!(info.waiting_bytes, Some(0));
    assert_eq!(hub.revoke(&opened_by(Token(1)), SIGNED_OUT), 0);
    // It may come back, for all that the hub knows.
    open(&hub, "ada", &[]).await;
}

#[tokio::test]
async fn a_reader_that_waits_is_woken() {
    let hub = Hub::builder().build().unwrap();
    let mut reader = open(&hub, "ada", &[]).await;
    let next = tokio::spawn(async move { reader.next().await });
    tokio::task::yield_now().await;
    assert_eq!(hub.revoke(&client("ada"), SIGNED_OUT), 1);
    let seen = soon(next).await.unwrap().expect("a last word");
    assert_eq!(seen[0].to_string(), CLOSED);
}

#[tokio::test]
async fn who_has_ended_with_something_left_reads_no_more() {
    let hub = Hub::builder().build().unwrap();
    let mut reader = open(&hub, "ada", &[]).await;
    hub.broadcast(text("secret")).await.unwrap();
    assert_eq!(hub.disconnect(&client("ada")), 1);
    assert_eq!(hub.info().ending, 1);
    assert_eq!(hub.revoke(&client("ada"), SIGNED_OUT), 0);
    assert_eq!(reader.read(), [CLOSED]);
    assert!(reader.ended);
    drop(reader);
    let ended = hub.info().ended;
    assert_eq!((ended.disconnected, ended.revoked), (1, 0));
}

#[tokio::test]
async fn a_catch_up_stops_where_it_is() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let mut before = open(&hub, "ada", &[]).await;
    let start = head(&hub).await;
    for number in 0..10 {
        hub.broadcast(text(number.to_string())).await.unwrap();
        before.read();
    }
    let mut reader = returning(&hub, "bob", &[], &start).await;
    assert_eq!(reader.next().await.unwrap()[0].to_string(), "connected");
    soon(async {
        while hub.info().queued < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(hub.revoke(&client("bob"), SIGNED_OUT), 1);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reader.read(), [CLOSED]);
    assert_eq!(hub.info().catching_up, 0);
}

#[tokio::test]
async fn a_permission_that_runs_out_is_taken_back() {
    let clock = ManualClock::new();
    let builder = Hub::builder().clock(clock.clone()).heartbeat(None);
    let hub = builder.build().unwrap();
    let minute = Duration::from_secs(60);
    let mut short = unread(&hub, subscribe("ada", &[]).valid_for(minute)).await;
    let mut long = unread(&hub, subscribe("bob", &[]).valid_for(Duration::MAX)).await;
    assert_eq!((short.read().len(), long.read().len()), (1, 1));
    pass(&clock, minute - Duration::from_secs(1)).await;
    assert_eq!(hub.info().ended.revoked, 0);
    hub.broadcast(text("secret")).await.unwrap();
    pass(&clock, Duration::from_secs(2)).await;
    assert_eq!(short.read(), [r#"closed {"reason":"expired"}"#]);
    assert!(short.ended);
    assert_eq!(long.read(), ["secret"]);
    let ended = hub.info().ended;
    assert_eq!((ended.revoked, ended.expired), (1, 0));
}

#[tokio::test]
async fn who_has_ended_reads_no_longer_than_it_may() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let minute = Duration::from_secs(60);
    let mut reader = unread(&hub, subscribe("ada", &[]).valid_for(minute)).await;
    assert_eq!(reader.read(), ["connected"]);
    hub.broadcast(text("secret")).await.unwrap();
    pass(&clock, minute - Duration::from_secs(2)).await;
    hub.disconnect(&client("ada"));
    pass(&clock, Duration::from_secs(3)).await;
    assert_eq!(reader.read(), [r#"closed {"reason":"expired"}"#]);
    let ended = hub.info().ended;
    assert_eq!((ended.disconnected, ended.revoked), (1, 0));
}

#[tokio::test]
async fn a_last_word_that_nobody_reads_is_given_up() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let mut reader = open(&hub, "ada", &[]).await;
    hub.revoke(&client("ada"), SIGNED_OUT);
    assert_eq!(hub.info().ending, 1);
    pass(&clock, Duration::from_secs(100)).await;
    assert_eq!(hub.info().ending, 0);
    assert_eq!(reader.read(), [""; 0]);
}

#[tokio::test]
async fn a_foreign_sink_is_closed() {
    let hub = Hub::builder().build().unwrap();
    let notebook = Arc::new(Notebook::default());
    let sink: Arc<dyn EventSink> = Arc::<Notebook>::clone(&notebook);
    let attached = hub.attach(subscribe("ada", &[]), sink).await.unwrap();
    assert_eq!(hub.revoke(&client("ada"), SIGNED_OUT), 1);
    assert_eq!(notebook.reason(), Some(CloseReason::Revoked));
    assert_eq!(notebook.read(), ["connected"]);
    drop(attached);
}

#[tokio::test]
async fn presence_tells_why() {
    let hub = Hub::builder().build().unwrap();
    let mut presence = hub.presence();
    let _reader = open(&hub, "ada", &[]).await;
    hub.revoke(&client("ada"), SIGNED_OUT);
    let mut last = presence.next().await;
    while !matches!(last, Some(PresenceNotice::Disconnected { .. })) {
        last = soon(presence.next()).await;
    }
    let Some(PresenceNotice::Disconnected { reason, .. }) = last else {
        unreachable!()
    };
    assert_eq!(reason, CloseReason::Revoked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_comes_after_the_last_word_whoever_publishes() {
    for _ in 0..200 {
        let hub = Hub::builder().build().unwrap();
        let mut reader = open(&hub, "ada", &[]).await;
        let publisher = hub.clone();
        let published = tokio::spawn(async move {
            for number in 0..20 {
                publisher.broadcast(text(number.to_string())).await.unwrap();
            }
        });
        tokio::task::yield_now().await;
        assert_eq!(hub.revoke(&client("ada"), SIGNED_OUT), 1);
        published.await.unwrap();
        assert_eq!(reader.read(), [CLOSED]);
    }
}
