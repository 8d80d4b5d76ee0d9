//! Streams that begin with how things stand.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use sse_core::*;
use tokio::sync::Semaphore;

use crate::support::{
    Reader, Seen, eventually,
    resuming::{head, last},
    settle, subscribe, text, unread,
};

/// Why it is asked, and at which position.
type Asked = (Option<GapCause>, Option<Position>);

/// An application that stores what it publishes, and tells all of it where it is let.
#[derive(Debug, Clone)]
struct App {
    stored: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl App {
    fn new() -> Self {
        Self {
            stored: Arc::default(),
            gate: Arc::new(Semaphore::new(1_000)),
            asked: Arc::default(),
        }
    }

    fn on(&self, builder: HubBuilder) -> Hub {
        let app = self.clone();
        let builder = builder.fresh_state(move |fresh: FreshState| {
            let app = app.clone();
            async move {
                let asked = (fresh.cause, fresh.position);
                app.asked.lock().unwrap().push(asked);
                app.gate.acquire().await?.forget();
                let stored = app.stored.lock().unwrap().join(" ");
                Ok(vec![text(format!("state {stored}"))])
            }
        });
        builder.build().unwrap()
    }

    async fn publish(&self, hub: &Hub, word: &str) {
        self.stored.lock().unwrap().push(word.to_owned());
        hub.broadcast(text(word)).await.unwrap();
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn with_state(hub: &Hub) -> Reader {
    unread(hub, subscribe("ada", &[]).begin_with_state()).await
}

fn texts(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(ToString::to_string).collect()
}

const CAUGHT_UP: &str = r#"caught-up {"replayed":0,"skipped":0}"#;

#[tokio::test]
async fn a_newcomer_gets_the_state_and_then_what_comes() {
    let app = App::new();
    let hub = app.on(Hub::builder());
    app.publish(&hub, "a").await;
    let mut reader = with_state(&hub).await;
    settle().await;
    app.publish(&hub, "b").await;
    let seen = reader.seen();
    assert_eq!(seen[0].json()["resume"], "fresh");
    assert_eq!(texts(&seen), ["connected", "state a", CAUGHT_UP, "b"]);
    let ids: Vec<_> = seen.iter().map(|seen| seen.id.is_some()).collect();
    assert_eq!(ids, [false, false, true, true]);
    let [(cause, Some(position))] = app.asked()[..] else {
        panic!("{:?}", app.asked());
    };
    assert_eq!((cause, position.sequence()), (None, 1));
    assert_eq!(hub.info().resumes, 0);
}

#[tokio::test]
async fn what_is_published_while_the_state_is_made_comes_after_it() {
    let mut app = App::new();
    app.gate = Arc::new(Semaphore::new(0));
    let hub = app.on(Hub::builder().initial_heartbeat(true));
    app.publish(&hub, "a").await;
    let mut reader = with_state(&hub).await;
    eventually(|| !app.asked().is_empty()).await;
    app.publish(&hub, "b").await;
    let alone = Target::connection(reader.handle.id());
    hub.publish(alone, text("alone")).await.unwrap();
    settle().await;
    let before = reader.seen();
    assert_eq!(texts(&before), ["connected", "heartbeat", "alone"]);
    // A client that is cut now begins anew.
    assert!(before.iter().all(|seen| seen.id.is_none()));
    app.gate.add_permits(1);
    settle().await;
    let seen = texts(&reader.seen());
    let caught_up = r#"caught-up {"replayed":1,"skipped":0}"#;
    assert_eq!(seen, ["state a b", "b", caught_up]);
}

#[tokio::test]
async fn who_comes_back_gets_the_state_and_then_what_it_missed() {
    let app = App::new();
    let hub = app.on(Hub::builder());
    app.publish(&hub, "a").await;
    let seen_last = head(&hub).await;
    app.publish(&hub, "b").await;
    let subscribe = subscribe("ada", &[]).last_event_id(last(&seen_last));
    let mut reader = unread(&hub, subscribe.begin_with_state()).await;
    settle().await;
    let seen = reader.seen();
    assert_eq!(seen[0].json()["resume"], "replaying");
    let told = [
        "connected",
        "state a b",
        "b",
        r#"caught-up {"replayed":1,"skipped":0}"#,
    ];
    assert_eq!(texts(&seen), told);
    let position = seen_last.parse().unwrap();
    assert_eq!(app.asked(), [(None, Some(position))]);
    assert_eq!(hub.info().resumes, 1);
}

#[tokio::test]
async fn by_an_id_of_the_application_and_with_the_latest_it_is_the_same() {
    let app = App::new();
    let hub = app.on(Hub::builder());
    app.publish(&hub, "a").await;
    hub.broadcast(Event::text("b").id("own")).await.unwrap();
    app.publish(&hub, "c").await;
    let told = |word: &str| {
        let caught_up = r#"caught-up {"replayed":1,"skipped":0}"#;
        ["connected", "state a c", word, caught_up].map(str::to_owned)
    };
    let by_id = subscribe("ada", &[]).last_event_id(last("own"));
    let one = Latest::Events(1);
    let latest = subscribe("ada", &[]).latest(one);
    for subscribe in [by_id, latest] {
        let mut reader = unread(&hub, subscribe.begin_with_state()).await;
        settle().await;
        assert_eq!(reader.read(), told("c"));
    }
}

#[tokio::test]
async fn a_gap_brings_the_state_once() {
    let app = App::new();
    let hub = app.on(Hub::builder());
    app.publish(&hub, "a").await;
    for (id, cause) in [
        ("never-sent", GapCause::Unknown),
        ("~00000000000000ff.7", GapCause::Epoch),
    ] {
        let subscribe = subscribe("ada", &[]).last_event_id(last(id));
        let mut reader = unread(&hub, subscribe.begin_with_state()).await;
        settle().await;
        let seen = reader.read();
        assert!(seen[1].starts_with("gap"), "{seen:?}");
        assert_eq!(seen[2..], ["state a", CAUGHT_UP]);
        assert_eq!(app.asked().pop().unwrap().0, Some(cause));
    }
    assert_eq!(app.asked().len(), 2);
}

#[tokio::test]
async fn without_anybody_to_ask_it_changes_nothing() {
    let hub = Hub::builder().build().unwrap();
    let mut reader = with_state(&hub).await;
    let seen = reader.seen();
    assert!(seen[0].id.is_some());
    assert_eq!(texts(&seen), ["connected"]);
}

#[tokio::test]
async fn a_stream_without_its_state_is_sent_away() {
    let builder = Hub::builder().fresh_state(|_| async { Err("the store is gone".into()) });
    let hub = builder.build().unwrap();
    let mut reader = with_state(&hub).await;
    settle().await;
    let seen = reader.read();
    assert!(seen[1].starts_with("reconnect"), "{seen:?}");
    assert!(reader.ended);
    assert_eq!(hub.info().ended.no_fresh_state, 1);
}

#[tokio::test]
async fn a_state_larger_than_the_queue_comes_whole() {
    let queue = QueueLimits {
        events: NonZeroUsize::new(2).unwrap(),
        ..QueueLimits::default()
    };
    let words: Vec<_> = (0..50).map(|number| format!("{number}")).collect();
    let state = words.clone();
    let builder = Hub::builder().queue(queue).fresh_state(move |_| {
        let state: Vec<_> = state.iter().map(text).collect();
        async move { Ok(state) }
    });
    let hub = builder.build().unwrap();
    let mut reader = with_state(&hub).await;
    let mut seen = Vec::new();
    while seen.len() < 52 {
        seen.extend(texts(&reader.next().await.unwrap()));
    }
    assert_eq!(seen[1..51], words);
    assert_eq!(seen[51], CAUGHT_UP);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn state_and_events_together_are_everything_whoever_publishes() {
    for _ in 0..100 {
        let app = App::new();
        let hub = app.on(Hub::builder());
        let publisher = tokio::spawn({
            let (app, hub) = (app.clone(), hub.clone());
            async move {
                for number in 0..50 {
                    app.publish(&hub, &number.to_string()).await;
                }
            }
        });
        tokio::task::yield_now().await;
        let mut reader = with_state(&hub).await;
        publisher.await.unwrap();
        let mut seen = Vec::new();
        while !seen
            .iter()
            .any(|seen: &String| seen.starts_with("caught-up"))
        {
            seen.extend(texts(&reader.next().await.unwrap()));
        }
        seen.extend(reader.read());
        let state = seen[1].strip_prefix("state ").unwrap();
        let before = state.split_whitespace();
        let after = seen[2..].iter().filter(|it| !it.starts_with("caught-up"));
        let mut all: Vec<u32> = before
            .chain(after.map(String::as_str))
            .map(|number| number.parse().unwrap())
            .collect();
        // What was stored and not published yet when the state was told comes twice.
        all.dedup();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, Vec::from_iter(0..50), "{seen:?}");
    }
}
