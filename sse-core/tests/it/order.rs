//! One order for everybody, whatever number of tasks publish at once.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use crate::support::{Reader, eventually, open, soon, subscribe, text, unread};
use sse_core::{Hub, HubBuilder, MemoryRegistry, QueueLimits, Registry, Target};
use tokio::sync::Barrier;

const ROUNDS: usize = 100;
const PUBLISHERS: usize = 4;
const EVENTS: usize = 25;
const ALL: usize = PUBLISHERS * EVENTS;

/// Whose queues have room for all, so that nothing is dropped.
fn builder() -> HubBuilder {
    let limits = QueueLimits {
        events: NonZeroUsize::new(10 * ALL).unwrap(),
        ..QueueLimits::default()
    };
    Hub::builder().queue(limits)
}

fn hub() -> Hub {
    builder().build().unwrap()
}

/// Reads until `count` events have come.
async fn collect(mut reader: Reader, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        let seen = reader.next().await.expect("it goes on");
        all.extend(seen.iter().map(ToString::to_string));
    }
    all
}

/// Publishes `p n` for n = 0, 1, … in every way there is.
async fn publish(hub: Hub, publisher: usize, start: Arc<Barrier>) {
    start.wait().await;
    let event = |n| text(format!("{publisher} {n}"));
    let mut n = 0;
    while n < EVENTS {
        match (publisher + n) % 3 {
            0 => {
                hub.broadcast(event(n)).await.unwrap();
            }
            1 => {
                let pending = hub.try_publish(Target::everybody(), event(n)).unwrap();
                pending.await.unwrap();
            }
            _ => {
                let last = (n + 3).min(EVENTS);
                let batch = (n..last).map(|n| (Target::everybody(), event(n)));
                hub.publish_many(batch).await.unwrap();
                n = last - 1;
            }
        }
        n += 1;
    }
}

/// Every publisher's events are there, in its own order.
fn assert_each_in_order(all: &[String]) {
    for publisher in 0..PUBLISHERS {
        let prefix = format!("{publisher} ");
        let own: Vec<_> = all
            .iter()
            .filter_map(|event| event.strip_prefix(&prefix))
            .collect();
        let expected: Vec<_> = (0..EVENTS).map(|n| n.to_string()).collect();
        assert_eq!(own, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_connection_sees_the_same_order_and_each_publishers_own() {
    for _ in 0..ROUNDS {
        let hub = hub();
        let mut readers = Vec::new();
        for n in 0..6 {
            let reader = open(&hub, &n.to_string(), &[]).await;
            readers.push(tokio::spawn(collect(reader, ALL)));
        }
        let start = Arc::new(Barrier::new(PUBLISHERS));
        let publishers =
            (0..PUBLISHERS).map(|p| tokio::spawn(publish(hub.clone(), p, Arc::clone(&start))));
        for publisher in publishers.collect::<Vec<_>>() {
            soon(publisher).await.unwrap();
        }
        let mut orders = Vec::new();
        for reader in readers {
            orders.push(soon(reader).await.unwrap());
        }
        assert_each_in_order(&orders[0]);
        for order in &orders {
            assert_eq!(order, &orders[0]);
        }
        assert_eq!(hub.info().published.broadcast, ALL as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_joins_meanwhile_sees_all_from_then_on() {
    for _ in 0..ROUNDS {
        let hub = hub();
        let first = open(&hub, "first", &["g"]).await;
        let first = tokio::spawn(collect(first, ALL + 1));
        let start = Arc::new(Barrier::new(PUBLISHERS + 2));
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|p| tokio::spawn(publish(hub.clone(), p, Arc::clone(&start))))
            .collect();
        // One opens its stream meanwhile, with its opening event before all others.
        let opening = tokio::spawn({
            let (hub, start) = (hub.clone(), Arc::clone(&start));
            async move {
                start.wait().await;
                unread(&hub, subscribe("late", &["g"])).await
            }
        });
        // One joins a group meanwhile, and what is sent after the join has to reach it.
        let joined = tokio::spawn({
            let (hub, start) = (hub.clone(), Arc::clone(&start));
            async move {
                let mut reader = open(&hub, "joins", &[]).await;
                start.wait().await;
                assert!(reader.handle.join("late").await.unwrap());
                let receipt = hub.send_group("late", text("after")).await.unwrap();
                assert_eq!(receipt.outcome().await.unwrap().queued, 1);
                assert!(reader.handle.leave("late").await.unwrap());
                let receipt = hub.send_group("late", text("never")).await.unwrap();
                assert_eq!(receipt.outcome().await.unwrap().matched, 0);
                reader.read()
            }
        });
        let mut late = soon(opening).await.unwrap();
        let joined = soon(joined).await.unwrap();
        assert!(joined.contains(&"after".to_owned()) && !joined.contains(&"never".to_owned()));
        for publisher in publishers {
            soon(publisher).await.unwrap();
        }
        hub.send_group("g", text("end")).await.unwrap();
        let whole = soon(first).await.unwrap();
        let late = late.read();
        let (opening, rest) = late.split_first().unwrap();
        assert_eq!(opening, "connected");
        assert_eq!(
            rest,
            &whole[whole.len() - rest.len()..],
            "a suffix without a hole"
        );
        assert_eq!(rest.last().unwrap(), "end");
        assert_each_in_order(&whole[..ALL]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn coming_and_going_beside_publishing_leaves_nothing_behind() {
    let registry = Arc::new(MemoryRegistry::new());
    let hub = builder().registry(Arc::clone(&registry)).build().unwrap();
    hub.start().await.unwrap();
    let start = Arc::new(Barrier::new(PUBLISHERS + 4));
    let publishers =
        (0..PUBLISHERS).map(|p| tokio::spawn(publish(hub.clone(), p, Arc::clone(&start))));
    let guests = (0..4).map(|n| {
        let (hub, start) = (hub.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            for _ in 0..ROUNDS {
                let name = format!("client {}", n % 2);
                let mut reader = unread(&hub, subscribe(&name, &["g"])).await;
                hub.join_client(name.as_str(), "h").await.unwrap();
                let own = text("own");
                let receipt = reader.handle.send(own).await.unwrap();
                assert_eq!(receipt.outcome().await.unwrap().queued, 1);
                let read = reader.read();
                assert_eq!(read[0], "connected");
                assert!(read.contains(&"own".to_owned()));
            }
        })
    });
    let tasks: Vec<_> = publishers.chain(guests).collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(hub.info().connections, 0);
    eventually(|| registry.stats().connections + registry.stats().groups == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_predicate_may_publish_from_inside_the_section() {
    for _ in 0..ROUNDS {
        let hub = hub();
        let mut ada = open(&hub, "ada", &[]).await;
        let inner = hub.clone();
        let predicate = move |_: &sse_core::Connection| {
            let pending = inner.try_publish(Target::everybody(), text("from inside"));
            drop(pending.unwrap());
            true
        };
        let sent = tokio::time::timeout(
            Duration::from_secs(30),
            hub.send_where(predicate, text("first")),
        );
        sent.await.expect("no deadlock").unwrap();
        hub.broadcast(text("last")).await.unwrap();
        assert_eq!(ada.read(), ["first", "from inside", "last"]);
    }
}
