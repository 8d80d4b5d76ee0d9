//! Cases of reading beside writing.

use std::sync::Arc;

use sse_core::{
    Batch, ClientId, Deliver, Delivered, Event, HistoryError, KeyMemory, LocalRouter, Lost,
    PageLimit, Position, Publication, Routed, Router, Target, Ticket, TokioClock, Viewer,
};
use tokio::{
    sync::Barrier,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::{JoinHandle, yield_now},
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
        let ready = Arc::new(Barrier::new(CLIENTS.len() + 1));
        let readers = CLIENTS.map(|name| {
            let (history, ready) = (Subject::clone(&history), Arc::clone(&ready));
            tokio::spawn(async move {
                let own = (1..=EVENTS).filter(|n| whose(*n) == name);
                let own: Vec<_> = own.map(|n| further(head, n)).collect();
                let reader = viewer(name, &[]);
                // One page before there is anything.
                let after = page(&history, head, &reader, SMALL).await.looked_to;
                ready.wait().await;
                let found = read_along(&history, after, EVENTS, &reader).await;
                assert!(
                    found == own,
                    "beside appends {name}'s pages have {} events of {}, right up to the {}.",
                    found.len(),
                    own.len(),
                    found.iter().zip(&own).take_while(|(a, b)| a == b).count()
                );
            })
        });
        let writer = tokio::spawn(async move {
            ready.wait().await;
            for n in 1..=EVENTS {
                log.append(to(whose(n)));
                if n % 5 == 0 {
                    yield_now().await;
                }
            }
        });
        joined(writer).await;
        for reader in readers {
            joined(reader).await;
        }
    }
}

/// Reads what `viewer` sees after `after` up to the event of that sequence, whenever it comes.
async fn read_along(
    history: &Subject,
    mut after: Position,
    to: u64,
    viewer: &Viewer,
) -> Vec<Position> {
    let mut found = Vec::new();
    while after.sequence() < to {
        let page = page(history, after, viewer, SMALL).await;
        found.extend(positions(&page.events));
        assert!(
            found.len() as u64 <= to,
            "more events were read than were appended"
        );
        after = page.looked_to;
        yield_now().await;
    }
    found
}

pub(crate) async fn what_is_evicted_beside_pages_is_told(history: Subject) {
    let mut log = Log::begun(Subject::clone(&history));
    let newest = further(HEAD, 4 * MORE as u64);
    // What is gone before the first page, where anything goes, is told too.
    log.append_many(MORE);
    let writer = tokio::spawn(async move {
        while log.newest() < newest {
            log.append_many(20);
            yield_now().await;
        }
    });
    let reader = tokio::spawn(async move {
        let ada = viewer("ada", &[]);
        let mut after = HEAD;
        while after < newest {
            let page = history.page(after, &ada, SMALL).await;
            match page {
                Ok(page) => {
                    for (n, found) in (1..).zip(positions(&page.events)) {
                        assert_eq!(found, further(after, n), "the next event after {after}");
                    }
                    let read = page.events.last().map(|kept| position(&kept.frame));
                    after = read.unwrap_or(after);
                }
                Err(HistoryError::Evicted { floor }) => {
                    assert!(floor > after, "after {after} all is kept, by its own floor");
                    after = floor;
                }
                Err(error) => panic!("a page after {after} beside appends: {error:?}"),
            }
            yield_now().await;
        }
    });
    joined(writer).await;
    joined(reader).await;
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
    let publishers = [0, 1].map(|publisher| {
        let router = Arc::clone(&router);
        tokio::spawn(async move {
            for n in 0..BATCHES {
                let published = router.publish(batch(publisher * BATCHES + n)).await;
                published.expect("the router in the box accepts");
                yield_now().await;
            }
        })
    });
    let anyone = viewer("ada", &[]);
    for _ in 0..2 * 3 * BATCHES {
        let told = delivered.recv().await.expect("a delivery");
        let page = page(&history, before(told), &anyone, SMALL).await;
        let found = positions(&page.events);
        assert!(
            found.first() == Some(&told),
            "{told} was delivered, and a page that begins there has {found:?}"
        );
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
