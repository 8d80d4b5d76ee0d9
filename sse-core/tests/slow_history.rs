//! Histories and logs that take their time, fail, fall behind, or lose events.

mod support;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sse_core::*;
use support::{Reader, eventually, panic_quietly, settle, soon, subscribe, text, unread};

/// A router with a history of its own, whose answers can be slow, late, or none.
#[derive(Debug, Default)]
struct Log {
    router: Mutex<Option<Arc<LocalRouter>>>,
    kept: Arc<MemoryHistory>,
    to: Mutex<Option<Arc<dyn Deliver>>>,
    pages: AtomicUsize,
    slow: AtomicBool,
    fault: Mutex<Option<Fault>>,
    /// The history shows no events after this sequence.
    shows: Mutex<Option<u64>>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Fails,
    Panics,
    Hangs,
}

impl Log {
    fn new() -> Arc<Self> {
        let log = Self::default();
        let router = LocalRouter::keeping(Arc::clone(&log.kept), KeyMemory::default(), TokioClock);
        *log.router.lock().unwrap() = Some(Arc::new(router));
        Arc::new(log)
    }

    fn hub(self: &Arc<Self>) -> HubBuilder {
        Hub::builder().log(Arc::clone(self))
    }

    fn router(&self) -> Arc<LocalRouter> {
        self.router.lock().unwrap().clone().unwrap()
    }

    fn deliverer(&self) -> Arc<dyn Deliver> {
        self.to.lock().unwrap().clone().unwrap()
    }

    async fn answer(&self) -> Result<(), HistoryError> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let fault = *self.fault.lock().unwrap();
        match fault {
            None => Ok(()),
            Some(Fault::Fails) => Err(HistoryError::backend("away")),
            Some(Fault::Panics) => panic_quietly(),
            Some(Fault::Hangs) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Router for Log {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        *self.to.lock().unwrap() = Some(Arc::clone(&to));
        self.router().start(to).await
    }
    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        self.router().publish(batch).await
    }
    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        self.router().try_publish(batch)
    }
    async fn shutdown(&self) {
        self.router().shutdown().await;
    }
}

#[async_trait]
impl History for Log {
    async fn bounds(&self) -> Result<Bounds, HistoryError> {
        self.answer().await?;
        self.kept.bounds().await
    }
    async fn locate(
        &self,
        id: &EventId,
        viewer: &Viewer,
    ) -> Result<Option<Position>, HistoryError> {
        self.answer().await?;
        self.kept.locate(id, viewer).await
    }
    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError> {
        self.answer().await?;
        self.kept.latest(wanted, viewer).await
    }
    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        self.answer().await?;
        let mut page = self.kept.page(after, viewer, limit).await?;
        if let Some(shows) = *self.shows.lock().unwrap() {
            let position = |kept: &Kept| kept.frame.position().unwrap();
            page.events
                .retain(|kept| position(kept).sequence() <= shows);
            let shown = Position::new(after.epoch(), shows.max(after.sequence()));
            page.looked_to = if page.looked_to < shown {
                page.looked_to
            } else {
                shown
            };
        }
        Ok(page)
    }
}

async fn head(hub: &Hub) -> String {
    let mut reader = unread(hub, subscribe("nobody", &[])).await;
    reader.seen()[0].id.clone().expect("a position")
}

async fn returning(hub: &Hub, client: &str, id: &str) -> Reader {
    let last = LastEventId::parse(id.as_bytes());
    unread(hub, subscribe(client, &[]).last_event_id(last)).await
}

/// Reads until it has caught up.
async fn until_caught_up(reader: &mut Reader) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    while !seen.iter().any(|seen| seen.starts_with("caught-up")) {
        let events = soon(reader.next()).await.expect("it goes on");
        seen.extend(events.iter().map(ToString::to_string));
    }
    seen
}

fn numbers(seen: &[String]) -> Vec<u64> {
    seen.iter().filter_map(|seen| seen.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrelated_events_dont_put_off_the_switch() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    hub.send_to("ada", text("1")).await.unwrap();
    log.slow.store(true, Ordering::SeqCst);
    let stop = Arc::<AtomicBool>::default();
    // 20,000 a second.
    let publisher = tokio::spawn({
        let (hub, stop) = (hub.clone(), Arc::clone(&stop));
        async move {
            let (start, mut sent) = (Instant::now(), 0_u32);
            while !stop.load(Ordering::SeqCst) {
                while f64::from(sent) < start.elapsed().as_secs_f64() * 20_000.0 {
                    hub.send_to("bob", text("x")).await.unwrap();
                    sent += 1;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    for _ in 0..20 {
        let before = log.pages.load(Ordering::SeqCst);
        let mut reader = returning(&hub, "ada", &id).await;
        let seen = until_caught_up(&mut reader).await;
        assert_eq!(numbers(&seen), [1]);
        let pages = log.pages.load(Ordering::SeqCst) - before;
        assert!(pages <= 2, "{pages} pages");
    }
    stop.store(true, Ordering::SeqCst);
    publisher.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_target_cannot_outrun_a_slow_history() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    log.slow.store(true, Ordering::SeqCst);
    let stop = Arc::<AtomicBool>::default();
    let publisher = tokio::spawn({
        let (hub, stop) = (hub.clone(), Arc::clone(&stop));
        async move {
            let (start, mut sent) = (Instant::now(), 0_u32);
            while !stop.load(Ordering::SeqCst) {
                while f64::from(sent) < start.elapsed().as_secs_f64() * 5_000.0 {
                    hub.send_to("ada", text(sent.to_string())).await.unwrap();
                    sent += 1;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut reader = returning(&hub, "ada", &id).await;
    let mut seen = until_caught_up(&mut reader).await;
    stop.store(true, Ordering::SeqCst);
    publisher.await.unwrap();
    settle().await;
    seen.extend(reader.read());
    let numbers = numbers(&seen);
    assert!(numbers.len() > 100, "{}", numbers.len());
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let pages = log.pages.load(Ordering::SeqCst);
    assert!(pages < 40, "{pages} pages for {} events", numbers.len());
}

#[tokio::test]
async fn a_history_that_fails_is_told_as_a_gap() {
    for fault in [Fault::Fails, Fault::Panics] {
        let log = Log::new();
        let hub = log.hub().build().unwrap();
        let id = head(&hub).await;
        hub.broadcast(text("1")).await.unwrap();
        *log.fault.lock().unwrap() = Some(fault);
        let mut reader = returning(&hub, "ada", &id).await;
        let seen = until_caught_up(&mut reader).await;
        let told = [
            r#"gap {"cause":"backend"}"#,
            r#"caught-up {"replayed":0,"skipped":0}"#,
        ];
        assert_eq!(seen[1..], told, "{fault:?}");
        hub.broadcast(text("2")).await.unwrap();
        assert_eq!(reader.read(), ["2"]);
    }
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
        stuck.push(returning(&hub, "ada", &id).await);
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
    let mut reader = returning(&hub, "ada", &id).await;
    let seen = until_caught_up(&mut reader).await;
    assert_eq!(numbers(&seen), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_falls_behind_is_asked_again() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    *log.shows.lock().unwrap() = Some(2);
    for number in 0..5 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let mut reader = returning(&hub, "ada", &id).await;
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

#[tokio::test]
async fn those_who_stall_hold_up_nobody() {
    let queue = QueueLimits {
        events: NonZeroUsize::new(4).unwrap(),
        ..QueueLimits::default()
    };
    let hub = Hub::builder().queue(queue).build().unwrap();
    let id = head(&hub).await;
    for number in 0..1_000 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let mut stalled = Vec::new();
    for _ in 0..1_000 {
        stalled.push(returning(&hub, "bob", &id).await);
    }
    settle().await;
    let mut reader = returning(&hub, "ada", &id).await;
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

/// Events of the log that this node's router never delivers.
fn lose(log: &Log, epoch: u64, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        let position = Position::new(epoch, sequence);
        log.kept.append(&Routed {
            target: Target::everybody(),
            frame: Frame::new(&text(sequence.to_string()), Some(position)),
            ticket: None,
        });
    }
}

fn deliver(log: &Log, epoch: u64, sequence: u64) {
    let routed = Routed {
        target: Target::everybody(),
        frame: Frame::new(
            &text(sequence.to_string()),
            Some(Position::new(epoch, sequence)),
        ),
        ticket: None,
    };
    log.kept.append(&routed);
    drop(log.deliverer().deliver(&[routed]));
}

#[tokio::test]
async fn where_the_router_lost_events_all_catch_up_again() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    let epoch = id.parse::<Position>().unwrap().epoch();
    let mut live = unread(&hub, subscribe("ada", &[])).await;
    deliver(&log, epoch, 1);
    settle().await;
    assert_eq!(live.read(), ["connected", "1"]);
    // One that is catching up at that moment.
    *log.fault.lock().unwrap() = Some(Fault::Hangs);
    let mut behind = returning(&hub, "bob", &id).await;
    settle().await;
    assert_eq!(behind.read(), ["connected"]);

    *log.fault.lock().unwrap() = None;
    lose(&log, epoch, 2..=4);
    log.deliverer()
        .lost(Some(Position::new(epoch, 1)), Lost::Backend);
    deliver(&log, epoch, 5);
    let seen = until_caught_up(&mut live).await;
    assert_eq!(seen[0], r#"gap {"cause":"backend"}"#);
    assert_eq!(numbers(&seen), [2, 3, 4, 5], "the log has them");
    deliver(&log, epoch, 6);
    assert_eq!(numbers(&live.read()), [6]);
    assert_eq!(hub.info().lost, 1);
    drop(behind);
}

#[tokio::test]
async fn a_connection_that_is_behind_a_loss_is_told_too() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    let epoch = id.parse::<Position>().unwrap().epoch();
    *log.shows.lock().unwrap() = Some(0);
    deliver(&log, epoch, 1);
    let mut behind = returning(&hub, "bob", &id).await;
    settle().await;
    lose(&log, epoch, 2..=4);
    log.deliverer()
        .lost(Some(Position::new(epoch, 1)), Lost::Backend);
    *log.shows.lock().unwrap() = None;
    let seen = until_caught_up(&mut behind).await;
    assert!(
        seen.contains(&r#"gap {"cause":"backend"}"#.to_owned()),
        "{seen:?}"
    );
    assert_eq!(numbers(&seen), [1, 2, 3, 4]);
    // What it has seen is ignored when this node delivers it at last.
    for sequence in 2..=5 {
        let routed = Routed {
            target: Target::everybody(),
            frame: Frame::new(
                &text(sequence.to_string()),
                Some(Position::new(epoch, sequence)),
            ),
            ticket: None,
        };
        drop(log.deliverer().deliver(&[routed]));
    }
    assert_eq!(behind.read(), ["5"]);
}

#[tokio::test]
async fn a_log_that_begins_anew_is_told_and_read_from_its_beginning() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let epoch = head(&hub).await.parse::<Position>().unwrap().epoch();
    let mut live = unread(&hub, subscribe("ada", &[])).await;
    deliver(&log, epoch, 1);
    assert_eq!(live.read(), ["connected", "1"]);
    let next = epoch.wrapping_add(1);
    log.kept.begin(Position::new(next, 0));
    lose(&log, next, 1..=2);
    log.deliverer().lost(None, Lost::Epoch);
    let mut seen = until_caught_up(&mut live).await;
    deliver(&log, next, 3);
    seen.extend(live.read());
    assert!(seen[0].starts_with(r#"gap {"cause":"epoch""#), "{seen:?}");
    assert_eq!(numbers(&seen), [1, 2, 3]);
    assert_eq!(head(&hub).await, Position::new(next, 3).to_string());
}
