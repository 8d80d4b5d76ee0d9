//! Histories that take their time, fail, or fall behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use crate::support::{
    Reader, eventually,
    log::{Fault, Log, numbers, until_caught_up},
    resuming::{caught_up, head, queue, returning},
    settle, subscribe, text, unread,
};
use sse_core::{Hub, HubConfig};
use tokio::task::JoinHandle;

/// Publishes numbers to one client, at a steady rate.
struct Publisher {
    sent: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Publisher {
    fn start(hub: &Hub, client: &'static str, a_second: f64) -> Self {
        let (sent, stop) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
        let task = tokio::spawn({
            let (hub, sent, stop) = (hub.clone(), Arc::clone(&sent), Arc::clone(&stop));
            async move {
                let (start, mut number) = (Instant::now(), 0);
                while !stop.load(Ordering::SeqCst) {
                    while f64::from(number) < start.elapsed().as_secs_f64() * a_second {
                        let event = text(number.to_string());
                        hub.send_to(client, event).await.unwrap();
                        number += 1;
                        sent.store(number, Ordering::SeqCst);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        Self { sent, stop, task }
    }

    async fn has_sent(&self, number: u32) {
        while self.sent.load(Ordering::SeqCst) < number {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn stop(self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        self.sent.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrelated_events_dont_put_off_the_switch() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    hub.send_to("ada", text("1")).await.unwrap();
    log.slow.store(true, Ordering::SeqCst);
    let unrelated = Publisher::start(&hub, "bob", 20_000.0);
    unrelated.has_sent(200).await;
    for _ in 0..20 {
        let before = log.pages.load(Ordering::SeqCst);
        let mut reader = returning(&hub, "ada", &[], &id).await;
        let seen = until_caught_up(&mut reader).await;
        assert_eq!(numbers(&seen), [1]);
        let pages = log.pages.load(Ordering::SeqCst) - before;
        assert!(pages <= 2, "{pages} pages");
    }
    unrelated.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_target_cannot_outrun_a_slow_history() {
    let log = Log::new();
    // Once it is live, a machine that stalls for a while doesn't cut it.
    let hub = log.hub().queue(queue(100_000)).build().unwrap();
    let id = head(&hub).await;
    log.slow.store(true, Ordering::SeqCst);
    let busy = Publisher::start(&hub, "ada", 5_000.0);
    busy.has_sent(500).await;
    let mut reader = returning(&hub, "ada", &[], &id).await;
    let mut seen = until_caught_up(&mut reader).await;
    let sent = busy.stop().await;
    settle().await;
    seen.extend(reader.read());
    assert_eq!(numbers(&seen), (0..u64::from(sent)).collect::<Vec<_>>());
    let pages = log.pages.load(Ordering::SeqCst);
    assert!(pages < 40, "{pages} pages for {sent} events");
}

#[tokio::test]
async fn a_history_that_fails_is_told_as_a_gap() {
    for fault in [Fault::Fails, Fault::Panics] {
        let log = Log::new();
        let hub = log.hub().build().unwrap();
        let id = head(&hub).await;
        hub.broadcast(text("1")).await.unwrap();
        *log.fault.lock().unwrap() = Some(fault);
        let mut reader = returning(&hub, "ada", &[], &id).await;
        hub.broadcast(text("meanwhile")).await.unwrap();
        let seen = until_caught_up(&mut reader).await;
        let told = [
            r#"gap {"cause":"backend"}"#,
            "meanwhile",
            r#"caught-up {"replayed":1,"skipped":0}"#,
        ];
        assert_eq!(seen[1..], told, "{fault:?}");
        hub.broadcast(text("2")).await.unwrap();
        assert_eq!(reader.read(), ["2"]);
    }
}

#[tokio::test]
async fn a_history_that_always_says_no_is_asked_no_more() {
    let log = Log::new();
    let hub = log.hub().queue(queue(1)).build().unwrap();
    let id = head(&hub).await;
    *log.fault.lock().unwrap() = Some(Fault::Evicts);
    hub.broadcast(text("1")).await.unwrap();
    hub.broadcast(text("2")).await.unwrap();
    let mut reader = returning(&hub, "ada", &[], &id).await;
    let seen = until_caught_up(&mut reader).await;
    assert!(
        seen[1..seen.len() - 1]
            .iter()
            .all(|seen| seen.starts_with("gap")),
        "{seen:?}"
    );
    assert!(seen.len() <= 4, "{seen:?}");
    hub.broadcast(text("3")).await.unwrap();
    assert_eq!(reader.read(), ["3"]);
}

#[tokio::test]
async fn a_history_that_hangs_holds_up_those_who_ask_it_alone() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    *log.fault.lock().unwrap() = Some(Fault::Hangs);
    hub.broadcast(text("0")).await.unwrap();
    let mut stuck = Vec::new();
    for _ in 0..20 {
        stuck.push(returning(&hub, "ada", &[], &id).await);
    }
    let mut live = unread(&hub, subscribe("ada", &[])).await;
    settle().await;
    assert_eq!(log.pages.load(Ordering::SeqCst), 16, "not all at once");
    hub.broadcast(text("1")).await.unwrap();
    assert_eq!(live.read(), ["connected", "1"]);
    drop(stuck);
    eventually(|| hub.info().catching_up == 0).await;
    *log.fault.lock().unwrap() = None;
    // Whoever hangs is given up with its connection.
    let mut reader = returning(&hub, "ada", &[], &id).await;
    let seen = until_caught_up(&mut reader).await;
    assert_eq!(numbers(&seen), [0, 1]);
}

/// A client that has missed five events, of which its history shows so many.
async fn before_a_history_that_shows(events: u64) -> (Arc<Log>, Hub, Reader) {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    *log.shows.lock().unwrap() = Some(events);
    for number in 0..5 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let reader = returning(&hub, "ada", &[], &id).await;
    (log, hub, reader)
}

#[tokio::test(start_paused = true)]
async fn a_history_that_falls_behind_is_asked_again() {
    let (log, _hub, mut reader) = before_a_history_that_shows(2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(reader.read(), ["connected", "0", "1"]);
    let pages = log.pages.load(Ordering::SeqCst);
    assert!(
        (3..8).contains(&pages),
        "neither once nor in a circle: {pages}"
    );
    *log.shows.lock().unwrap() = None;
    assert_eq!(numbers(&until_caught_up(&mut reader).await), [2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_while_the_history_gets_nobody_further() {
    let log = Log::new();
    let builder = log.hub().heartbeat(Duration::from_secs(2));
    let hub = builder.build().unwrap();
    let id = head(&hub).await;
    *log.shows.lock().unwrap() = Some(0);
    hub.broadcast(text("0")).await.unwrap();
    let mut reader = returning(&hub, "ada", &[], &id).await;
    assert_eq!(reader.read(), ["connected"]);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2_200)).await;
        let seen = reader.read();
        assert!(
            seen.len() == 1 && seen[0].starts_with("heartbeat"),
            "{seen:?}"
        );
    }
    assert_eq!(hub.info().catching_up, 1);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_stays_behind_is_given_up() {
    let (_log, hub, mut reader) = before_a_history_that_shows(1).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    hub.broadcast(text("5")).await.unwrap();
    let gap = r#"gap {"cause":"backend"}"#;
    let told = ["connected", "0", gap, &caught_up(1, 0), "5"];
    assert_eq!(reader.read(), told);
}

/// A history that hangs is given up by all who wait for it, not only by those whose turn it is.
#[tokio::test(start_paused = true)]
async fn all_who_wait_for_a_history_that_hangs_give_it_up_together() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    hub.broadcast(text("0")).await.unwrap();
    *log.fault.lock().unwrap() = Some(Fault::Hangs);
    let mut stuck = Vec::new();
    for _ in 0..200 {
        stuck.push(returning(&hub, "ada", &[], &id).await);
    }
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!((hub.info().catching_up, hub.info().gaps), (200, 0));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(hub.info().gaps, 200);
    *log.fault.lock().unwrap() = None;
    for mut reader in stuck {
        let seen = until_caught_up(&mut reader).await;
        assert!(seen[1].starts_with("gap"), "{seen:?}");
    }
}

/// A storm that takes longer than the deadline fails nobody, as long as the history answers.
#[tokio::test(start_paused = true)]
async fn those_who_wait_long_for_their_turn_get_it() {
    let log = Log::new();
    let config: HubConfig = serde_json::from_str(r#"{"history_deadline": "20ms"}"#).unwrap();
    let hub = log.hub().config(config).build().unwrap();
    let id = head(&hub).await;
    hub.broadcast(text("0")).await.unwrap();
    log.slow.store(true, Ordering::SeqCst);
    let mut back = Vec::new();
    for _ in 0..500 {
        back.push(returning(&hub, "ada", &[], &id).await);
    }
    for mut reader in back {
        assert_eq!(numbers(&until_caught_up(&mut reader).await), [0]);
    }
    assert_eq!(hub.info().gaps, 0);
}

#[tokio::test]
async fn those_who_stall_hold_up_nobody() {
    let hub = Hub::builder().queue(queue(4)).build().unwrap();
    let id = head(&hub).await;
    for number in 0..1_000 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let mut stalled = Vec::new();
    for _ in 0..1_000 {
        stalled.push(returning(&hub, "bob", &[], &id).await);
    }
    settle().await;
    let mut reader = returning(&hub, "ada", &[], &id).await;
    let seen = until_caught_up(&mut reader).await;
    assert_eq!(numbers(&seen), (0..1_000).collect::<Vec<_>>());
    let info = hub.info();
    assert_eq!(
        (info.catching_up, info.ended.overflow),
        (1_000, 0),
        "and aren't cut"
    );
    for number in 1_000..1_010 {
        hub.broadcast(text(number.to_string())).await.unwrap();
        assert_eq!(reader.read(), [number.to_string()]);
    }
    let mut last = stalled.pop().unwrap();
    let seen = until_caught_up(&mut last).await;
    assert_eq!(numbers(&seen), (0..1_010).collect::<Vec<_>>());
}
