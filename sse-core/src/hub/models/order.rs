//! Who sees what, and in which order.

use std::{num::NonZeroUsize, sync::Arc};

use shuttle::thread;

use super::{empties, hub, read, still, subscribe, text};
use crate::{
    ClientId, Frame, Hub, Overflow, Position, QueueLimits, Routed, Target,
    hub::{Delivery, Receipt},
    models::{check, spawn, wait},
};

fn outcome(receipt: &Receipt) -> Delivery {
    wait(receipt.outcome()).unwrap()
}

/// Publishes `a`, and beside it `b1` and `b2` in one; what became of them, in this order.
fn publish(hub: &Hub) -> [thread::JoinHandle<Vec<Delivery>>; 2] {
    let one = thread::spawn({
        let hub = hub.clone();
        move || vec![outcome(&wait(hub.broadcast(text("a"))).unwrap())]
    });
    let two = thread::spawn({
        let hub = hub.clone();
        move || {
            let events = ["b1", "b2"].map(|name| (Target::everybody(), text(name)));
            let receipts = wait(hub.publish_many(events)).unwrap();
            receipts.iter().map(outcome).collect()
        }
    });
    [one, two]
}

fn join<T>(threads: impl IntoIterator<Item = thread::JoinHandle<Vec<T>>>) -> Vec<T> {
    let joined = threads.into_iter().map(|thread| thread.join().unwrap());
    joined.flatten().collect()
}

#[test]
fn all_see_the_same_order_from_when_they_came() {
    check(|| {
        let (hub, registry) = hub(still());
        let ada = spawn(read(subscribe(&hub, "ada").into_body()));
        let publishers = publish(&hub);
        let late = thread::spawn({
            let hub = hub.clone();
            move || subscribe(&hub, "bob").into_body()
        });
        let bob = spawn(read(late.join().unwrap()));
        let deliveries = join(publishers);
        let info = hub.info();
        drop(hub);
        let (ada, bob) = (wait(ada).unwrap(), wait(bob).unwrap());

        let orders = [["a", "b1", "b2"], ["b1", "b2", "a"]];
        assert_eq!(ada[0], "connected");
        assert!(orders.iter().any(|order| ada[1..] == *order), "{ada:?}");
        assert_eq!(bob[0], "connected");
        assert!(ada.ends_with(&bob[1..]), "{ada:?} {bob:?}");
        let has = |text: &str| bob.iter().any(|seen| seen == text);
        assert_eq!(has("b1"), has("b2"), "both or none: {bob:?}");

        let queued: u32 = deliveries.iter().map(|delivery| delivery.queued).sum();
        assert_eq!(queued as usize, ada.len() - 1 + bob.len() - 1);
        for delivery in deliveries {
            assert_eq!(delivery.matched, delivery.queued);
        }
        assert_eq!(
            (info.connections, info.published.broadcast, info.lost),
            (2, 3, 0)
        );
        empties(&registry);
    });
}

#[test]
fn whoever_is_disconnected_has_seen_the_beginning() {
    check(|| {
        let (hub, registry) = hub(still());
        let [ada, bob] =
            ["ada", "bob"].map(|client| spawn(read(subscribe(&hub, client).into_body())));
        let publishers = publish(&hub);
        let ended = thread::spawn({
            let hub = hub.clone();
            move || hub.disconnect(&Target::client(ClientId::new("bob").unwrap()))
        });
        // Comes and goes.
        drop(subscribe(&hub, "eve"));
        assert_eq!(ended.join().unwrap(), 1);
        let deliveries = join(publishers);
        let bob = wait(bob).unwrap();
        let info = hub.info();
        assert_eq!((info.connections, info.lost), (1, 0));
        assert_eq!((info.ended.disconnected, info.ended.client_gone), (1, 1));
        drop(hub);
        let ada = wait(ada).unwrap();
        assert_eq!(ada.len(), 4);
        assert!(ada.starts_with(&bob), "{ada:?} {bob:?}");
        for delivery in deliveries {
            assert_eq!(delivery.matched, delivery.queued + delivery.closed);
        }
        empties(&registry);
    });
}

#[test]
fn positions_only_rise() {
    check(|| {
        let (hub, registry) = hub(still());
        let ada = spawn(read(subscribe(&hub, "ada").into_body()));
        // Threads that don't agree on who is first: the section has to.
        let deliver = |sequence: u64| {
            let deliver = Arc::clone(&hub.shared.deliver);
            thread::spawn(move || {
                // An epoch after any that the router may have begun with.
                let position = Position::new(u64::MAX, sequence);
                let delivered = deliver.deliver(&[Routed {
                    target: Target::everybody(),
                    frame: Frame::new(&text(&sequence.to_string()), Some(position)),
                    ticket: None,
                }]);
                delivered.delivery().queued
            })
        };
        let threads = [1, 2, 3].map(deliver);
        let bob = subscribe(&hub, "bob").into_body();
        let queued = threads.into_iter().map(|thread| thread.join().unwrap());
        let queued: u32 = queued.sum();
        drop(hub);
        let (ada, bob) = (wait(ada).unwrap(), wait(read(bob)));
        assert!(ada[1..].is_sorted(), "{ada:?}");
        assert_eq!(ada.last().unwrap(), "3");
        assert!(ada.ends_with(&bob[1..]), "{ada:?} {bob:?}");
        assert_eq!(queued as usize, ada.len() - 1 + bob.len() - 1);
        empties(&registry);
    });
}

#[test]
fn a_full_queue_costs_its_own_connection_only() {
    check(|| {
        let queue = QueueLimits {
            events: NonZeroUsize::MIN,
            ..QueueLimits::default()
        };
        let (hub, registry) = hub(still().queue(queue).overflow(Overflow::Disconnect));
        let ada = spawn(read(subscribe(&hub, "ada").into_body()));
        let bob = subscribe(&hub, "bob");
        let deliveries = join(publish(&hub));
        let info = hub.info();
        drop(hub);
        // What waits for a connection that ends this way is thrown away.
        let ada = wait(ada).unwrap();
        let all: Delivery =
            deliveries
                .into_iter()
                .fold(Delivery::default(), |mut all, delivery| {
                    all.add(delivery);
                    all
                });
        // Bob's queue took the first, and was closed by the second.
        let ada_closed = info.ended.overflow == 2;
        assert_eq!(all.closed, 1 + u32::from(ada_closed));
        assert_eq!(all.matched, all.queued + all.closed);
        assert!(ada.len() <= all.queued as usize, "{ada:?} {all:?}");
        assert!(ada_closed || ada.len() == 4, "{ada:?}");
        assert_eq!(info.connections, usize::from(!ada_closed));
        drop(bob);
        empties(&registry);
    });
}
