//! What waits in all queues together is bounded, and who reads slowest pays for it.

use std::sync::Arc;

use sse_core::*;

use crate::support::{
    Reader, Seen, open,
    resuming::{head, queue, returning},
    settle, soon, subscribe, text, unread,
};

/// How large an event is here, and a little more: its id comes on top.
const EVENT: usize = 1_000;
const ROOM: usize = 10 * (EVENT + 100);

fn hub(overflow: Overflow) -> Hub {
    let builder = Hub::builder().queue(queue(1_000)).overflow(overflow);
    let builder = builder.max_event_bytes(2 * EVENT).byte_budget(ROOM);
    builder.heartbeat(None).build().unwrap()
}

fn event(number: usize) -> Event {
    text(format!("{number:0>EVENT$}"))
}

fn waiting(hub: &Hub) -> usize {
    hub.info().waiting_bytes.unwrap() as usize
}

/// The numbers of the events that it got, and how many it was told are missing.
fn numbers(seen: &[Seen]) -> (Vec<usize>, u64) {
    let (mut numbers, mut missing) = (Vec::new(), 0);
    for seen in seen {
        match seen.name.as_deref() {
            Some("gap") => missing += seen.json()["dropped"].as_u64().unwrap(),
            None => numbers.push(seen.data.parse().unwrap()),
            Some(_) => {}
        }
    }
    (numbers, missing)
}

/// A hundred events, which a healthy client reads at once. Nothing is over the budget in between.
async fn a_hundred(hub: &Hub, healthy: &mut Reader) {
    for number in 0..100 {
        hub.broadcast(event(number)).await.unwrap();
        assert!(waiting(hub) <= ROOM);
        assert_eq!(numbers(&healthy.seen()), (vec![number], 0));
    }
}

#[tokio::test]
async fn an_event_counts_once_however_many_it_waits_for() {
    let hub = hub(Overflow::Disconnect);
    let mut readers = Vec::new();
    for client in 0..50 {
        readers.push(open(&hub, &format!("client-{client}"), &[]).await);
    }
    hub.broadcast(event(1)).await.unwrap();
    let one = waiting(&hub);
    assert!((EVENT..EVENT + 100).contains(&one), "{one}");
    hub.broadcast(event(2)).await.unwrap();
    assert_eq!(waiting(&hub), 2 * one);
    let last = readers.pop().unwrap();
    for mut reader in readers {
        assert_eq!(numbers(&reader.seen()), (vec![1, 2], 0));
    }
    assert_eq!(waiting(&hub), 2 * one, "they wait for one still");
    drop(last);
    assert_eq!(waiting(&hub), 0);
}

#[tokio::test]
async fn whoever_holds_the_oldest_is_cut_and_misses_nothing() {
    let hub = hub(Overflow::Disconnect);
    let position = head(&hub).await;
    let mut healthy = open(&hub, "healthy", &[]).await;
    let mut oldest = open(&hub, "oldest", &[]).await;
    for number in 0..5 {
        hub.broadcast(event(number)).await.unwrap();
    }
    healthy.seen();
    let mut younger = open(&hub, "younger", &[]).await;
    for number in 5..10 {
        hub.broadcast(event(number)).await.unwrap();
    }
    healthy.seen();
    assert_eq!((hub.info().connections, hub.info().gave_way), (3, 0));
    hub.broadcast(event(10)).await.unwrap();
    assert_eq!(oldest.read(), [""; 0], "what waited is freed");
    assert!(oldest.ended);
    let info = hub.info();
    assert_eq!(
        (info.connections, info.ended.overflow, info.gave_way),
        (2, 1, 1)
    );
    assert_eq!(info.dropped, 0);
    assert_eq!(numbers(&younger.seen()).0, [5, 6, 7, 8, 9, 10]);
    assert_eq!(numbers(&healthy.seen()).0, [10]);
    let mut back = returning(&hub, "oldest", &[], &position).await;
    let mut seen = Vec::new();
    while seen
        .last()
        .is_none_or(|seen: &Seen| seen.name.as_deref() != Some("caught-up"))
    {
        seen.append(&mut soon(back.next()).await.unwrap());
    }
    assert_eq!(numbers(&seen), ((0..11).collect(), 0));
}

#[tokio::test]
async fn fifty_stalled_clients_are_cut_and_the_healthy_one_gets_everything() {
    let hub = hub(Overflow::Disconnect);
    let mut healthy = open(&hub, "healthy", &[]).await;
    let mut stalled = Vec::new();
    for client in 0..50 {
        stalled.push(open(&hub, &format!("client-{client}"), &[]).await);
    }
    a_hundred(&hub, &mut healthy).await;
    assert_eq!(hub.info().connections, 1);
    assert_eq!(hub.info().ended.overflow, 50);
}

#[tokio::test]
async fn a_second_wave_of_stalled_clients_costs_the_others_nothing() {
    for overflow in [
        Overflow::Disconnect,
        Overflow::DropOldest,
        Overflow::DropNewest,
    ] {
        let hub = hub(overflow);
        let mut healthy = open(&hub, "healthy", &[]).await;
        let mut stalled = Vec::new();
        for wave in 0..3 {
            stalled.push(open(&hub, &format!("wave-{wave}"), &[]).await);
            a_hundred(&hub, &mut healthy).await;
        }
        assert!(!healthy.ended, "{overflow:?}");
        assert!(hub.info().gave_way >= 3);
    }
}

#[tokio::test]
async fn of_many_that_hold_the_same_each_loses_the_newest_alone() {
    let hub = hub(Overflow::DropNewest);
    let mut stalled = Vec::new();
    for client in 0..50 {
        stalled.push(open(&hub, &format!("client-{client}"), &[]).await);
    }
    for number in 0..20 {
        hub.broadcast(event(number)).await.unwrap();
    }
    for reader in &mut stalled {
        let (kept, missing) = numbers(&reader.seen());
        assert_eq!(kept, (0..kept.len()).collect::<Vec<_>>());
        assert!(kept.len() >= 8, "{kept:?}");
        assert_eq!(missing as usize, 20 - kept.len());
    }
}

#[tokio::test]
async fn who_catches_up_makes_room_for_what_is_live() {
    let hub = hub(Overflow::Disconnect);
    let position = head(&hub).await;
    for number in 0..500 {
        hub.broadcast(event(number)).await.unwrap();
    }
    let mut healthy = open(&hub, "healthy", &[]).await;
    let mut returned = returning(&hub, "returned", &[], &position).await;
    let mut seen = Vec::new();
    while seen.len() < 500 {
        // As much is replayed as there is room for.
        settle().await;
        hub.send_to("healthy", event(0)).await.unwrap();
        assert_eq!(numbers(&healthy.seen()).0, [0]);
        let events = soon(returned.next()).await.expect("it isn't cut");
        seen.extend(numbers(&events).0);
    }
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_waits_in_a_sink_of_ones_own_neither_counts_nor_gives_way() {
    let hub = hub(Overflow::Disconnect);
    let limits = queue(1_000);
    let mut healthy = open(&hub, "healthy", &[]).await;
    let sink = QueueSink::new(limits, hub.sink_context());
    let own = Arc::<QueueSink>::clone(&sink);
    let attached = hub.attach(subscribe("own", &[]), own).await.unwrap();
    a_hundred(&hub, &mut healthy).await;
    assert_eq!(sink.progress().waiting, 101, "an opening event, and all");
    assert_eq!((waiting(&hub), hub.info().gave_way), (0, 0));
    drop(attached);
}

#[tokio::test]
async fn the_oldest_are_dropped_and_that_is_told_where_they_stood() {
    let hub = hub(Overflow::DropOldest);
    let mut healthy = open(&hub, "healthy", &[]).await;
    let (mut one, mut two) = (open(&hub, "a", &[]).await, open(&hub, "b", &[]).await);
    a_hundred(&hub, &mut healthy).await;
    for stalled in [&mut one, &mut two] {
        let seen = stalled.seen();
        let (kept, missing) = numbers(&seen);
        assert_eq!(seen[0].name.as_deref(), Some("gap"));
        assert_eq!(kept, (missing as usize..100).collect::<Vec<_>>());
        assert!((5..=10).contains(&kept.len()), "{kept:?}");
    }
    assert_eq!(hub.info().dropped, hub.info().gave_way);
    assert_eq!(waiting(&hub), 0);
}

#[tokio::test]
async fn the_newest_are_dropped_of_whoever_holds_the_oldest() {
    let hub = hub(Overflow::DropNewest);
    let mut healthy = open(&hub, "healthy", &[]).await;
    let mut stalled = open(&hub, "stalled", &[]).await;
    a_hundred(&hub, &mut healthy).await;
    let seen = stalled.seen();
    let (kept, missing) = numbers(&seen);
    // Until the healthy one has read the newest, one more has to go for it.
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 6, 7, 8, 99]);
    assert_eq!(missing as usize, 100 - kept.len());
    assert_eq!(seen[9].name.as_deref(), Some("gap"), "where they were");
}

#[tokio::test]
async fn what_nobody_reads_of_those_who_ended_gives_way_too() {
    let hub = hub(Overflow::Disconnect);
    let mut ended = open(&hub, "ended", &[]).await;
    let mut healthy = open(&hub, "healthy", &[]).await;
    hub.send_to("ended", event(0)).await.unwrap();
    assert_eq!(
        hub.disconnect(&Target::client(ClientId::new("ended").unwrap())),
        1
    );
    assert!(waiting(&hub) > EVENT);
    let mut stalled = open(&hub, "stalled", &[]).await;
    for number in 1..=9 {
        hub.broadcast(event(number)).await.unwrap();
    }
    assert_eq!(hub.info().gave_way, 0);
    hub.broadcast(event(10)).await.unwrap();
    assert_eq!(ended.read(), [""; 0]);
    assert!(ended.ended);
    assert_eq!(numbers(&stalled.seen()).0, (1..=10).collect::<Vec<_>>());
    assert_eq!(numbers(&healthy.seen()).0, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn those_who_catch_up_are_within_it_and_get_everything() {
    let hub = hub(Overflow::Disconnect);
    let position = head(&hub).await;
    for number in 0..500 {
        hub.broadcast(event(number)).await.unwrap();
    }
    let mut stalled = Vec::new();
    for client in 0..20 {
        stalled.push(returning(&hub, &format!("stalled-{client}"), &[], &position).await);
    }
    // Who reads on isn't cut by what it hasn't read yet.
    let mut healthy = returning(&hub, "healthy", &[], &position).await;
    let mut seen = Vec::new();
    while seen.len() < 500 {
        let events = soon(healthy.next()).await.expect("it isn't cut");
        assert!(waiting(&hub) <= ROOM + EVENT + 100, "{}", waiting(&hub));
        seen.extend(numbers(&events).0);
    }
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_counts_any_more_once_nothing_waits() {
    let hub = hub(Overflow::DropOldest);
    let mut tasks = Vec::new();
    for client in 0..8 {
        let (publisher, reader) = (hub.clone(), hub.clone());
        tasks.push(tokio::spawn(async move {
            for number in 0..200 {
                publisher.broadcast(event(number)).await.unwrap();
            }
        }));
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                let client = subscribe(&format!("{client}-{round}"), &[]);
                let mut reader = unread(&reader, client).await;
                for _ in 0..5 {
                    reader.seen();
                    tokio::task::yield_now().await;
                }
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(hub.info().connections, 0);
    assert_eq!(waiting(&hub), 0);
}

#[test]
fn it_holds_an_event_at_least() {
    let error = Hub::builder().byte_budget(1_000).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "max_event_bytes must not be more than byte_budget"
    );
}
