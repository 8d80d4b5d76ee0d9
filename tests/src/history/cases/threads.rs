//! Cases of reading beside writing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use sse_core::{
    Batch, ClientId, Deliver, Delivered, Event, HistoryError, KeyMemory, LocalRouter, Lost,
    PageLimit, Position, Publication, Routed, Router, Target, Ticket, TokioClock, Viewer,
};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedSender, channel, unbounded_channel},
    },
    task::{JoinHandle, spawn_blocking, yield_now},
};

use super::support::{
    HEAD, Log, MORE, Subject, WHOLE, before, further, page, position, positions, to, viewer,
};

const SMALL: PageLimit = PageLimit { events: 4, ..WHOLE };

/// What a task found out, or its panic.
async fn joined<T>(task: JoinHandle<T>) -> T {
    task.await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

pub(crate) async fn pages_beside_appends_have_each_event_once(history: Subject) {
    const EVENTS: u64 = 300;
    const CLIENTS: [&str; 4] = ["ada", "bob", "cy", "dan"];
    for round in 0..6 {
        let head = Position::new(10 + round, 0);
        let mut log = Log::begun_at(Subject::clone(&history), head);
        // What cy gets comes last; dan gets nothing.
        let whose = |n| {
            if n == EVENTS {
                "cy"
            } else {
                CLIENTS[n as usize % 2]
            }
        };
        // Closed once each has read a page, or failed.
        let (ready, mut all_ready) = channel::<()>(1);
        let written = Arc::new(AtomicBool::new(false));
        let readers = CLIENTS.map(|name| {
            let (history, ready) = (Subject::clone(&history), ready.clone());
            let written = Arc::clone(&written);
            tokio::spawn(async move {
                let viewer = viewer(name, &[]);
                // One page before there is anything.
                let after = page(&history, head, &viewer, SMALL).await.looked_to;
                drop(ready);
                let found = read_along(&history, after, further(head, EVENTS), &viewer, &written);
                let found = found.await;
                let own = (1..=EVENTS).filter(|n| whose(*n) == name);
                let own: Vec<_> = own.map(|n| further(head, n)).collect();
                assert!(
                    found == own,
                    "beside appends {name}'s pages have {} events of {}, right up to the {}.",
                    found.len(),
                    own.len(),
                    found.iter().zip(&own).take_while(|(a, b)| a == b).count()
                );
            })
        });
        drop(ready);
        let writer = tokio::spawn(async move {
            all_ready.recv().await;
            for n in 1..=EVENTS {
                log.append(to(whose(n)));
                if n % 5 == 0 {
                    yield_now().await;
                }
            }
            written.store(true, Ordering::SeqCst);
        });
        joined(writer).await;
        for reader in readers {
            joined(reader).await;
        }
    }
}

/// Reads what `viewer` sees after `after` up to `last`, whenever it comes.
async fn read_along(
    history: &Subject,
    mut after: Position,
    last: Position,
    viewer: &Viewer,
    written: &AtomicBool,
) -> Vec<Position> {
    let mut found = Vec::new();
    while after < last {
        let whole = written.load(Ordering::SeqCst);
        let page = page(history, after, viewer, SMALL).await;
        assert!(
            !whole || page.looked_to > after,
            "all was appended, up to {last}; a page after {after} looked to {}",
            page.looked_to
        );
        found.extend(positions(&page.events));
        assert!(
            found.len() as u64 <= last.sequence(),
            "more events were read than were appended"
        );
        after = page.looked_to;
        yield_now().await;
    }
    found
}

pub(crate) async fn what_is_evicted_beside_pages_is_told(history: Subject) {
    let mut log = Log::begun(Subject::clone(&history));
    // What is gone before there is anything beside the pages is told too.
    log.append_many(MORE);
    let mut after = HEAD;
    for _ in 0..2 {
        after = read_on(&history, after).await;
    }
    let newest = further(HEAD, 4 * MORE as u64);
    let written = Arc::new(AtomicBool::new(false));
    // Each page has more appended beside it than it reads.
    let (more, wanted) = mpsc::channel();
    let writer = spawn_blocking({
        let written = Arc::clone(&written);
        move || {
            while log.newest() < newest && wanted.recv().is_ok() {
                log.append_many(100);
            }
            written.store(true, Ordering::SeqCst);
        }
    });
    while after < newest {
        let whole = written.load(Ordering::SeqCst);
        // Nobody listens any more where all is written.
        let _ = more.send(());
        let next = read_on(&history, after).await;
        assert!(
            !whole || next > after,
            "all was appended, up to {newest}; a page after {after} has nothing of it"
        );
        after = next;
        yield_now().await;
    }
    joined(writer).await;
}

/// Reads a page of what is for everybody: each event is the next, or the history says that some are
/// gone. Up to where it came.
async fn read_on(history: &Subject, after: Position) -> Position {
    let page = history.page(after, &viewer("ada", &[]), SMALL).await;
    match page {
        Ok(page) => {
            let found = positions(&page.events);
            for (n, found) in (1..).zip(&found) {
                assert_eq!(*found, further(after, n), "the next event after {after}");
            }
            found.last().copied().unwrap_or(after)
        }
        Err(HistoryError::Evicted { floor }) => {
            assert!(
                floor > after,
                "after {after} all is kept, by the floor {floor}"
            );
            floor
        }
        Err(error) => panic!("a page after {after} beside appends: {error:?}"),
    }
}

/// Tells where events were delivered.
#[derive(Debug)]
struct Teller(UnboundedSender<Position>);

impl Deliver for Teller {
    fn deliver(&self, routed: &[Routed]) -> Delivered {
        for routed in routed {
            // Nobody listens any more where the case has failed.
            let _ = self.0.send(position(&routed.frame));
        }
        Delivered::default()
    }

    fn lost(&self, after: Option<Position>, cause: Lost) {
        panic!("events after {after:?} were lost, as the router says: {cause:?}");
    }
}

pub(crate) async fn what_a_router_delivered_is_found(history: Subject) {
    const BATCHES: u64 = 80;
    let keeping = Subject::clone(&history);
    let router = LocalRouter::keeping(keeping, KeyMemory::default(), TokioClock);
    let router = Arc::new(router);
    let (teller, mut delivered) = unbounded_channel();
    let started = router.start(Arc::new(Teller(teller))).await;
    started.expect("the router in the box starts");
    // They are never far ahead of who reads, so that there is always something beside a page.
    let ahead = Arc::new(Semaphore::new(4));
    let publishers = [0, 1].map(|publisher| {
        let (router, ahead) = (Arc::clone(&router), Arc::clone(&ahead));
        tokio::spawn(async move {
            for n in 0..BATCHES {
                let turn = ahead.acquire().await;
                turn.expect("it is never closed").forget();
                let published = router.publish(batch(publisher * BATCHES + n)).await;
                published.expect("the router in the box accepts");
            }
        })
    });
    let anyone = viewer("ada", &[]);
    for n in 1..=2 * 3 * BATCHES {
        let told = delivered.recv().await.expect("a delivery");
        let page = page(&history, before(told), &anyone, SMALL).await;
        let found = positions(&page.events);
        assert!(
            found.first() == Some(&told),
            "{told} was delivered, and a page that begins there has {found:?}"
        );
        if n % 3 == 0 {
            ahead.add_permits(1);
        }
    }
    for publisher in publishers {
        joined(publisher).await;
    }
    router.shutdown().await;
}

/// Three events, as they are published on this node.
fn batch(number: u64) -> Batch {
    let ada = ClientId::new("ada").expect("a valid client id");
    let targets = [
        Target::everybody(),
        Target::client(ada),
        Target::everybody(),
    ];
    let publications = (0..).zip(targets).map(|(n, target)| {
        let event = Event::text("an event").build().expect("a valid event");
        Publication::new(target, event, Ticket::new(number * 3 + n))
    });
    publications.collect()
}
