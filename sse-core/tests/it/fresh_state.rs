//! Where events are missing, the application tells how things stand.

use std::{
    future::pending,
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::support::{Reader, eventually, pass, settle, subscribe, text, unread};
use futures_util::Stream;
use sse_core::{
    BuildError, Event, EventBody, FreshState, GapCause, Hub, HubBuilder, LastEventId, LocalRouter,
    ManualClock, MemoryHistory, QueueLimits,
};

const UNKNOWN: &str = "never-sent";

fn last(id: &str) -> Option<LastEventId> {
    LastEventId::parse(id.as_bytes())
}

async fn returning(hub: &Hub, id: &str) -> Reader {
    unread(hub, subscribe("ada", &["g"]).last_event_id(last(id))).await
}

async fn all(reader: &mut Reader) -> Vec<String> {
    settle().await;
    reader.read()
}

/// A hub whose application tells of what it has stored.
fn storing(builder: HubBuilder, stored: &Arc<Mutex<Vec<String>>>) -> HubBuilder {
    let stored = Arc::clone(stored);
    builder.fresh_state(move |_| {
        let state = stored.lock().unwrap().join(" ");
        async move { Ok(vec![text(format!("state {state}"))]) }
    })
}

#[tokio::test]
async fn the_state_comes_after_the_gap_and_before_what_comes_later() {
    let stored = Arc::new(Mutex::new(vec!["a".to_owned(), "b".to_owned()]));
    let hub = storing(Hub::builder(), &stored).build().unwrap();
    hub.broadcast(text("a")).await.unwrap();
    hub.broadcast(text("b")).await.unwrap();
    let mut reader = returning(&hub, UNKNOWN).await;
    settle().await;
    hub.broadcast(text("c")).await.unwrap();
    let seen = all(&mut reader).await;
    assert_eq!(seen[0], "connected");
    assert_eq!(seen[1], r#"gap {"cause":"unknown"}"#);
    assert_eq!(seen[2], "state a b");
    assert!(seen[3].starts_with("caught-up"));
    assert_eq!(seen[4..], ["c"]);
}

#[tokio::test]
async fn nothing_has_a_position_before_the_state_is_there() {
    let hub = Hub::builder();
    let (asked, state) = (
        Arc::<Mutex<Option<FreshState>>>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let hook = {
        let (asked, state) = (Arc::clone(&asked), Arc::clone(&state));
        move |fresh: FreshState| {
            *asked.lock().unwrap() = Some(fresh);
            let state = Arc::clone(&state);
            async move {
                while state.load(Ordering::SeqCst) == 0 {
                    tokio::task::yield_now().await;
                }
                Ok(vec![text("state")])
            }
        }
    };
    let clock = ManualClock::new();
    let builder = hub.fresh_state(hook).clock(clock.clone());
    let hub = builder.heartbeat(Duration::from_secs(1)).build().unwrap();
    hub.broadcast(text("before")).await.unwrap();
    let mut reader = returning(&hub, UNKNOWN).await;
    eventually(|| asked.lock().unwrap().is_some()).await;
    let asked = asked.lock().unwrap().take().unwrap();
    assert_eq!(asked.cause, Some(GapCause::Unknown));
    assert_eq!(asked.position.unwrap().sequence(), 1);
    assert_eq!(asked.connection.client().as_str(), "ada");
    drop(asked);
    hub.broadcast(text("meanwhile")).await.unwrap();
    hub.broadcast(Event::text("gone").transient())
        .await
        .unwrap();
    let mut seen = reader.seen();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        settle().await;
        seen.extend(reader.seen());
    }
    assert!(seen.iter().any(|event| event.to_string() == "heartbeat"));
    assert!(
        seen.iter().all(|event| event.id.is_none()),
        "a cut here gives the gap again"
    );
    state.store(1, Ordering::SeqCst);
    settle().await;
    let seen = reader.seen();
    assert_eq!(seen[0].to_string(), "state");
    assert_eq!(seen[0].id, None);
    assert_eq!(seen[1].to_string(), "meanwhile");
    assert!(seen[1].id.is_some());
    assert_eq!(
        seen[2].to_string(),
        r#"caught-up {"replayed":1,"skipped":1}"#
    );
}

#[tokio::test]
async fn a_cut_between_gap_and_state_gives_the_gap_again() {
    let clock = ManualClock::new();
    let calls = Arc::<AtomicUsize>::default();
    let hook = {
        let calls = Arc::clone(&calls);
        move |_| {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    pending::<()>().await;
                }
                Ok(vec![text("state")])
            }
        }
    };
    let hub = Hub::builder()
        .clock(clock)
        .fresh_state(hook)
        .build()
        .unwrap();
    hub.broadcast(text("before")).await.unwrap();
    let mut first = returning(&hub, UNKNOWN).await;
    let seen: Vec<_> = {
        settle().await;
        first.seen()
    };
    // What a browser would send: the last id that it was told, or still the old one.
    let id = seen.iter().rev().find_map(|event| event.id.clone());
    assert_eq!(id, None);
    drop(first);
    let seen = all(&mut returning(&hub, UNKNOWN).await).await;
    assert_eq!(seen[1..3], [r#"gap {"cause":"unknown"}"#, "state"]);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    eventually(|| hub.info().connections == 0).await;
}

#[tokio::test]
async fn every_gap_but_that_of_a_full_queue_asks_for_it() {
    let stored = Arc::new(Mutex::new(vec!["all".to_owned()]));
    let builder = Hub::builder().history(MemoryHistory::last(2));
    let hub = storing(builder, &stored).build().unwrap();
    let mut fresh = unread(&hub, subscribe("ada", &[])).await;
    let start = fresh.seen()[0].id.clone().unwrap();
    let (epoch, _) = start.split_once('.').unwrap();
    for number in 0..5 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let cases = [
        (start.clone(), "evicted"),
        ("~0000000000000001.1".to_owned(), "epoch"),
        (format!("{epoch}.99"), "ahead"),
        (UNKNOWN.to_owned(), "unknown"),
        ("~nonsense".to_owned(), "unknown"),
    ];
    for (id, cause) in cases {
        let seen = all(&mut returning(&hub, &id).await).await;
        assert!(
            seen[1].contains(&format!(r#""cause":"{cause}""#)),
            "{seen:?}"
        );
        assert_eq!(seen[2], "state all", "and nothing of what is kept");
        assert_eq!(seen[3], r#"caught-up {"replayed":0,"skipped":0}"#);
        assert_eq!(seen.len(), 4);
    }
}

#[tokio::test]
async fn a_state_larger_than_the_queue_waits_for_room() {
    let queue = QueueLimits {
        events: NonZeroUsize::new(2).unwrap(),
        ..QueueLimits::default()
    };
    let hook = |_| async { Ok((0..50).map(|number| text(number.to_string())).collect()) };
    let hub = Hub::builder()
        .queue(queue)
        .fresh_state(hook)
        .build()
        .unwrap();
    let mut reader = returning(&hub, UNKNOWN).await;
    let mut seen = Vec::new();
    for _ in 0..53 {
        seen.extend(all(&mut reader).await);
    }
    assert_eq!(seen.len(), 53);
    let numbers: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(seen[2..52], numbers);
    assert!(seen[52].starts_with("caught-up"));
}

/// Adds what there is to read; `true` at the end.
fn read(body: &mut EventBody, text: &mut String) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(next) = Pin::new(&mut *body).poll_next(&mut cx) {
        match next {
            Some(Ok(bytes)) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            None => return true,
        }
    }
    false
}

/// The stream ends, and says when to come back.
async fn ends(hub: &Hub, clock: &ManualClock) {
    let subscription = hub.subscribe(subscribe("ada", &[]).last_event_id(last(UNKNOWN)));
    let mut body = subscription.await.unwrap().into_body();
    let (mut text, mut ended) = (String::new(), false);
    for _ in 0..12 {
        settle().await;
        ended = read(&mut body, &mut text);
        if ended {
            break;
        }
        pass(clock, Duration::from_secs(1)).await;
    }
    assert!(ended, "{text}");
    let end = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(end.starts_with("event: reconnect\nretry: "), "{text}");
    assert!(end.contains(r#""reason":"no-fresh-state""#), "{text}");
    assert!(!text.contains("caught-up"));
    eventually(|| hub.info().connections == 0).await;
}

#[tokio::test]
async fn a_state_that_cannot_be_told_ends_the_stream() {
    type Answer = Result<Vec<Event>, Box<dyn std::error::Error + Send + Sync>>;
    let clock = ManualClock::new();
    let hub = |make: fn() -> Answer| {
        let builder = Hub::builder().clock(clock.clone());
        builder
            .fresh_state(move |_| async move { make() })
            .build()
            .unwrap()
    };
    let with_id = || Ok(vec![Event::text("x").id("7").build()?]);
    let failing: [fn() -> Answer; 3] = [
        || Err("the database is away".into()),
        || crate::support::panic_quietly(),
        with_id,
    ];
    for make in failing {
        let hub = hub(make);
        ends(&hub, &clock).await;
        assert_eq!(hub.info().ended.no_fresh_state, 1);
    }
    let builder = Hub::builder().clock(clock.clone());
    let slow = builder.fresh_state(|_| pending()).build().unwrap();
    ends(&slow, &clock).await;
    assert_eq!(slow.info().ended.no_fresh_state, 1);
}

#[tokio::test]
async fn whoever_leaves_takes_the_question_along() {
    let asked = Arc::<AtomicUsize>::default();
    struct Asked(Arc<AtomicUsize>);
    impl Drop for Asked {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let hook = {
        let asked = Arc::clone(&asked);
        move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            let asked = Asked(Arc::clone(&asked));
            async move {
                let _asked = asked;
                pending().await
            }
        }
    };
    let hub = Hub::builder().fresh_state(hook).build().unwrap();
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(returning(&hub, UNKNOWN).await);
    }
    eventually(|| asked.load(Ordering::SeqCst) == 32).await;
    settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 32, "not all at once");
    drop(readers);
    eventually(|| asked.load(Ordering::SeqCst) == 0 && hub.info().catching_up == 0).await;
}

#[test]
fn a_fresh_state_needs_a_history() {
    let hook = |_| async { Ok(Vec::new()) };
    let without = Hub::builder().without_history().fresh_state(hook).build();
    assert_eq!(
        without.unwrap_err(),
        BuildError::NeedsHistory("fresh_state")
    );
    let router = LocalRouter::default();
    let unused = Hub::builder()
        .router(router)
        .history(MemoryHistory::last(1))
        .build();
    assert_eq!(unused.unwrap_err(), BuildError::Unused("history"));
}
