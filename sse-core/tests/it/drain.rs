//! How a hub comes to its end.

use std::time::Duration;

use crate::support::{
    Reader, eventually,
    log::{Fault, Log},
    resuming::{head, queue, returning},
    settle, subscribe, text, unread,
};
use futures_util::FutureExt;
use sse_core::*;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

fn over(seconds: u32) -> Drain {
    Drain {
        over: SECOND * seconds,
        deadline: SECOND * 10,
        retry: SECOND * 2,
    }
}

/// Reads to the end of a stream, and notes when that was.
async fn to_the_end(mut reader: Reader, start: Instant) -> (Vec<String>, Duration) {
    let mut seen = Vec::new();
    while let Some(events) = reader.next().await {
        seen.extend(events.iter().map(ToString::to_string));
    }
    (seen, start.elapsed())
}

/// Ten streams that are read to their end.
async fn ten_streams(hub: &Hub, start: Instant) -> Vec<JoinHandle<(Vec<String>, Duration)>> {
    let mut streams = Vec::new();
    for _ in 0..10 {
        let reader = unread(hub, subscribe("ada", &[])).await;
        streams.push(tokio::spawn(to_the_end(reader, start)));
    }
    streams
}

/// When a farewell tells its client to come back, in milliseconds.
fn retry_of(farewell: &str) -> u64 {
    let data = farewell.strip_prefix("reconnect ").expect("a farewell");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["reason"], "draining");
    data["retry_ms"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_stream_ends_at_a_time_of_its_own_after_what_waited() {
    let hub = Hub::builder().build().unwrap();
    let start = Instant::now();
    let mut streams = Vec::new();
    for number in 0..100 {
        let reader = unread(&hub, subscribe(&format!("client-{number}"), &[])).await;
        streams.push(tokio::spawn(to_the_end(reader, start)));
    }
    hub.broadcast(text("last")).await.unwrap();
    assert_eq!(hub.shutdown(over(4)).await, drained(100, 0));
    let (mut ends, mut retries) = (Vec::new(), Vec::new());
    for stream in streams {
        let (seen, end) = stream.await.unwrap();
        assert_eq!(seen[..2], ["connected", "last"]);
        retries.push(retry_of(&seen[2]));
        assert_eq!(seen.len(), 3);
        ends.push(end);
    }
    let (first, last) = (*ends.iter().min().unwrap(), *ends.iter().max().unwrap());
    assert!(
        first < SECOND / 5 && last <= SECOND * 4 + SECOND / 10,
        "{ends:?}"
    );
    for quarter in 0..4 {
        let within = SECOND * quarter..SECOND * (quarter + 1);
        let count = ends.iter().filter(|end| within.contains(end)).count();
        assert!(
            (20..=30).contains(&count),
            "{count} ends in second {quarter}"
        );
    }
    assert!(retries.iter().all(|retry| (2_000..=4_000).contains(retry)));
    retries.sort_unstable();
    retries.dedup();
    assert!(retries.len() > 50, "each its own: {retries:?}");
    let info = hub.info();
    assert_eq!((info.connections, info.ended.draining), (0, 100));
}

fn drained(clean: usize, cut: usize) -> Drained {
    let mut drained = Drained::default();
    (drained.clean, drained.cut) = (clean, cut);
    drained
}

#[tokio::test(start_paused = true)]
async fn who_was_ended_before_has_time_to_read_what_waited() {
    let hub = Hub::builder().build().unwrap();
    let late = unread(&hub, subscribe("ada", &[])).await;
    let stalled = unread(&hub, subscribe("bob", &[])).await;
    hub.broadcast(text("last")).await.unwrap();
    assert_eq!(hub.disconnect(&Target::everybody()), 2);
    let start = Instant::now();
    let late = tokio::spawn(async move {
        sleep(SECOND * 3).await;
        to_the_end(late, start).await
    });
    assert_eq!(hub.shutdown(over(1)).await, drained(1, 1));
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(late.await.unwrap().0, ["connected", "last"]);
    assert_eq!(to_the_end(stalled, start).await.0, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_ended_before_its_turn_has_time_too() {
    let hub = Hub::builder().build().unwrap();
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(unread(&hub, subscribe("ada", &[])).await);
    }
    let start = Instant::now();
    let (ending, late) = (hub.clone(), sleep(SECOND * 5));
    let reading = tokio::spawn(async move {
        sleep(SECOND / 2).await;
        ending.disconnect(&Target::everybody());
        late.await;
        for stream in streams {
            to_the_end(stream, start).await;
        }
    });
    assert_eq!(hub.shutdown(over(1)).await, drained(10, 0));
    assert_eq!(start.elapsed().as_secs(), 5);
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_ended_between_two_shutdowns_has_time_too() {
    let hub = Hub::builder().build().unwrap();
    let late = unread(&hub, subscribe("ada", &[])).await;
    let stalled = unread(&hub, subscribe("bob", &[])).await;
    let first = timeout(SECOND / 10, hub.shutdown(over(5))).await;
    assert!(first.is_err(), "dropped midway");
    hub.disconnect(&Target::everybody());
    let start = Instant::now();
    let late = tokio::spawn(async move {
        sleep(SECOND * 3).await;
        to_the_end(late, start).await
    });
    assert_eq!(hub.shutdown(over(1)).await, drained(1, 1));
    assert_eq!(late.await.unwrap().0[0], "connected");
    assert_eq!(to_the_end(stalled, start).await.0, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_is_cut_off_at_the_deadline() {
    let hub = Hub::builder().build().unwrap();
    let stalled = unread(&hub, subscribe("bob", &[])).await;
    let start = Instant::now();
    let healthy = unread(&hub, subscribe("ada", &[])).await;
    let healthy = tokio::spawn(to_the_end(healthy, start));
    let gone = unread(&hub, subscribe("eve", &[])).await;
    let leaving = tokio::spawn(async move {
        sleep(SECOND * 5).await;
        drop(gone);
    });
    assert_eq!(hub.shutdown(over(1)).await, drained(1, 2));
    assert_eq!(start.elapsed().as_secs(), 10);
    healthy.await.unwrap();
    leaving.await.unwrap();
    let (seen, _) = to_the_end(stalled, start).await;
    assert_eq!(seen, [""; 0], "nothing is held for it any more");
}

#[tokio::test(start_paused = true)]
async fn publishing_works_and_is_kept_until_it_is_over() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let (early, late) = (head(&hub).await, Instant::now());
    let mut streams = Vec::new();
    for number in 0..10 {
        let reader = unread(&hub, subscribe(&format!("client-{number}"), &[])).await;
        streams.push(tokio::spawn(to_the_end(reader, late)));
    }
    let shutdown = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shutdown(over(4)).await }
    });
    let mut sent = Vec::new();
    for number in 0..30 {
        sleep(SECOND / 10).await;
        hub.broadcast(text(number.to_string())).await.unwrap();
        sent.push(number.to_string());
    }
    assert_eq!(shutdown.await.unwrap(), drained(10, 0));
    for stream in streams {
        let (seen, _) = stream.await.unwrap();
        let events = &seen[1..seen.len() - 1];
        assert_eq!(events, &sent[..events.len()], "up to its end, in order");
    }
    let after = hub.broadcast(text("too late")).await;
    assert!(matches!(after, Err(PublishError::Closed)), "{after:?}");
    // Another process has the same log.
    let viewer = Viewer::new(
        ConnectionId::random().unwrap(),
        ClientId::new("client-0").unwrap(),
        Vec::new(),
        GroupRule::exact(),
    );
    let limit = PageLimit {
        events: 100,
        bytes: 1 << 20,
    };
    let page = log.kept.page(early.parse().unwrap(), &viewer, limit).await;
    assert_eq!(page.unwrap().events.len(), sent.len());
}

#[tokio::test(start_paused = true)]
async fn a_replay_ends_where_it_is() {
    let hub = Hub::builder().queue(queue(4)).build().unwrap();
    let id = head(&hub).await;
    for number in 0..100 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let reader = returning(&hub, "ada", &[], &id).await;
    settle().await;
    let shutdown = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shutdown(over(0)).await }
    });
    settle().await;
    let mut reader = reader;
    let mut events = Vec::new();
    while let Some(more) = reader.next().await {
        events.extend(more);
    }
    let farewell = events.pop().unwrap();
    retry_of(&farewell.to_string());
    assert_eq!(farewell.id, None, "its client goes on where it was");
    let seen: Vec<_> = events.iter().map(ToString::to_string).collect();
    let replayed: Vec<_> = (0..seen.len() - 1).map(|n| n.to_string()).collect();
    assert_eq!(seen[1..], replayed, "and no caught-up");
    assert!((1..100).contains(&replayed.len()));
    assert_eq!(shutdown.await.unwrap(), drained(1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_history_or_a_hook_that_hangs_holds_nothing_up() {
    let log = Log::new();
    let hook = |_| std::future::pending();
    let hub = log.hub().fresh_state(hook).build().unwrap();
    let id = head(&hub).await;
    hub.broadcast(text("missed")).await.unwrap();
    let unknown = returning(&hub, "ada", &[], "nobody-knows").await;
    settle().await;
    *log.fault.lock().unwrap() = Some(Fault::Hangs);
    let behind = returning(&hub, "bob", &[], &id).await;
    settle().await;
    assert_eq!(hub.info().catching_up, 2);
    let start = Instant::now();
    let streams = [unknown, behind].map(|reader| tokio::spawn(to_the_end(reader, start)));
    assert_eq!(hub.shutdown(over(1)).await, drained(2, 0));
    for stream in streams {
        let (seen, _) = stream.await.unwrap();
        retry_of(seen.last().unwrap());
        assert!(!seen.iter().any(|seen| seen.starts_with("caught-up")));
    }
}

#[tokio::test]
async fn new_streams_are_refused_from_the_beginning_on() {
    let hub = Hub::builder().build().unwrap();
    let stalled = unread(&hub, subscribe("bob", &[])).await;
    let mut shutdown = Box::pin(hub.shutdown(over(1)));
    assert!(!hub.is_draining());
    assert!((&mut shutdown).now_or_never().is_none());
    assert!(hub.is_draining());
    let refused = hub.subscribe(subscribe("ada", &[])).await.unwrap_err();
    let SubscribeError::Refused(refusal) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.reason(), RefusalReason::Draining);
    assert!((SECOND * 2..=SECOND * 4).contains(&refusal.retry()));
    drop(stalled);
    assert_eq!(shutdown.await, drained(0, 0), "it left by itself");
    assert_eq!(hub.shutdown(over(1)).await, drained(0, 0), "and again");
    assert!(hub.is_draining());
    let refused = hub.subscribe(subscribe("ada", &[])).await;
    assert!(
        matches!(refused, Err(SubscribeError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!((hub.info().refused, hub.info().connections), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn dropped_midway_it_goes_on_when_it_is_called_again() {
    let hub = Hub::builder().build().unwrap();
    let start = Instant::now();
    let streams = ten_streams(&hub, start).await;
    let half = timeout(SECOND, hub.shutdown(over(2))).await;
    assert!(half.is_err());
    let left = hub.info().connections;
    assert!((3..=7).contains(&left), "{left}");
    sleep(SECOND * 60).await;
    assert_eq!(hub.info().connections, left, "they stay open");
    hub.broadcast(text("still")).await.unwrap();
    assert_eq!(hub.shutdown(over(1)).await, drained(10, 0), "in all");
    for stream in streams {
        let (seen, _) = stream.await.unwrap();
        retry_of(seen.last().unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_ended_before_it_was_dropped_is_waited_for_and_counted() {
    let hub = Hub::builder().build().unwrap();
    let stalled = unread(&hub, subscribe("bob", &[])).await;
    let start = Instant::now();
    let half = timeout(SECOND, hub.shutdown(over(0))).await;
    assert!(half.is_err());
    assert_eq!(hub.info().connections, 0, "it is ended, and unread");
    assert_eq!(hub.shutdown(over(0)).await, drained(0, 1));
    assert_eq!(start.elapsed().as_secs(), 11);
    drop(stalled);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_at_once_leaves_time_to_read_the_farewell() {
    let hub = Hub::builder().build().unwrap();
    let start = Instant::now();
    let streams = ten_streams(&hub, start).await;
    let at_once = Drain {
        over: SECOND * 9,
        deadline: Duration::ZERO,
        retry: SECOND * 2,
    };
    assert_eq!(hub.shutdown(at_once).await, drained(10, 0));
    for stream in streams {
        let (seen, _) = stream.await.unwrap();
        retry_of(seen.last().unwrap());
    }
}

#[tokio::test]
async fn a_hub_that_was_never_used_is_closed_too() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    hub.shutdown(over(0)).await;
    let after = hub.broadcast(text("too late")).await;
    assert!(matches!(after, Err(PublishError::Closed)), "{after:?}");
    assert!(matches!(hub.start().await, Err(PublishError::Closed)));
}

#[tokio::test]
async fn the_hubs_task_has_ended_when_it_returns() {
    let hub = Hub::builder().build().unwrap();
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    drop(hub.subscribe(subscribe("ada", &[])).await.unwrap());
    eventually(|| tasks.num_alive_tasks() > before).await;
    hub.shutdown(over(0)).await;
    eventually(|| tasks.num_alive_tasks() == before).await;
}
