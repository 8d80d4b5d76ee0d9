//! What each policy leaves of what a client had no room for, to the last event, and how it is told.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    ops::Range,
    time::{Duration, Instant},
};

use sse_conformance::{Call, Dispatched, End, StreamClient, eventually};
use sse_core::{Delivery, Event, EventBuilder, Hub, Overflow, QueueLimits};
use tokio::time::sleep;

use crate::{
    alone,
    ways::{Way, each_way, serve},
};

/// How many events a queue holds.
const QUEUE: usize = 50;
const EVENT: usize = 10_000;
/// How many events are published once the socket and the queue are full.
const MORE: usize = 200;
const KEYS: usize = 10;

each_way! {
    the_oldest_are_dropped,
    the_newest_are_dropped,
    what_is_newer_takes_the_place_of_its_key,
    who_is_cut_comes_back_for_the_rest,
}

fn hub(overflow: Overflow) -> Hub {
    let queue = QueueLimits {
        events: NonZeroUsize::new(QUEUE).unwrap(),
        ..QueueLimits::default()
    };
    let builder = Hub::builder().heartbeat(None).queue(queue);
    builder.overflow(overflow).build().unwrap()
}

fn number(event: &Dispatched) -> usize {
    event.data.trim_start_matches('x').parse().unwrap()
}

fn event(number: usize) -> EventBuilder {
    Event::text(format!("{number:x>EVENT$}"))
}

/// A client with a small buffer that doesn't read yet.
async fn open(addr: SocketAddr, set: impl FnOnce(Call) -> Call) -> StreamClient {
    let call = set(StreamClient::open(addr, "/slow").receive_buffer(4096));
    let mut client = call.timeout(Duration::from_secs(30)).await;
    let opening = client.next_event().await;
    assert_eq!(opening.event, "connected");
    client
}

/// The sums of what became of events for one client.
#[derive(Debug, Default)]
struct Sums {
    published: usize,
    replaced: usize,
    dropped: usize,
    /// It was cut at this event.
    closed: Option<usize>,
}

impl Sums {
    async fn publish(&mut self, hub: &Hub, event: EventBuilder) -> Delivery {
        let receipt = hub.broadcast(event).await.unwrap();
        let delivery = receipt.outcome().await.unwrap();
        if delivery.closed > 0 {
            self.closed.get_or_insert(self.published);
        }
        self.published += 1;
        self.replaced += delivery.replaced as usize;
        self.dropped += delivery.dropped as usize;
        delivery
    }

    /// Publishes until the socket takes no more, and then so many more that nothing is left to room.
    async fn fill(&mut self, hub: &Hub, event: impl Fn(usize) -> EventBuilder) {
        let (start, mut in_vain) = (Instant::now(), 0);
        while in_vain < MORE && self.closed.is_none() {
            let delivery = self.publish(hub, event(self.published)).await;
            let is_full = delivery.dropped > 0 || delivery.replaced > 0;
            in_vain = if is_full { in_vain + 1 } else { 0 };
            assert!(hub.info().queued <= QUEUE as u64 + 1, "{:?}", hub.info());
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "its socket never fills"
            );
            // What the kernel has room for is written meanwhile.
            sleep(Duration::from_micros(200)).await;
        }
    }
}

/// The numbers that a client reads until `last`, and how many it is told are missing, behind each.
async fn read_to(client: &mut StreamClient, last: usize, told: bool) -> (Vec<usize>, Vec<Gap>) {
    let (mut numbers, mut gaps) = (Vec::new(), Vec::new());
    while numbers.last() != Some(&last) || (told && gaps.is_empty()) {
        let event = client.next_event().await;
        if event.event == "gap" {
            let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(data["cause"], "overflow");
            let dropped = data["dropped"].as_u64().unwrap() as usize;
            gaps.push(Gap {
                behind: numbers.len(),
                dropped,
            });
        } else {
            numbers.push(number(&event));
        }
    }
    (numbers, gaps)
}

#[derive(Debug, PartialEq)]
struct Gap {
    /// So many events stand before it.
    behind: usize,
    dropped: usize,
}

fn all(range: Range<usize>) -> Vec<usize> {
    range.collect()
}

async fn the_oldest_are_dropped(way: Way) {
    let _alone = alone().await;
    let hub = hub(Overflow::DropOldest);
    let mut client = open(serve(&hub, way), |call| call).await;
    let mut sums = Sums::default();
    sums.fill(&hub, event).await;
    let (numbers, gaps) = read_to(&mut client, sums.published - 1, false).await;
    // A socket has a little room now and then; what stands before the queue came with that.
    let missing: usize = gaps.iter().map(|gap| gap.dropped).sum();
    assert_eq!(missing, sums.dropped);
    assert_eq!(hub.info().dropped, sums.dropped as u64);
    assert_eq!(numbers.len() + missing, sums.published);
    assert!(numbers.is_sorted());
    let last = gaps.last().unwrap();
    assert_eq!(
        numbers.len() - last.behind,
        QUEUE,
        "what stood in its queue"
    );
    assert_eq!(
        numbers[last.behind..],
        all(sums.published - QUEUE..sums.published)
    );
    assert_each_gap_is_told(&numbers, &gaps);
}

/// Wherever numbers are missing stands a gap that says how many.
fn assert_each_gap_is_told(numbers: &[usize], gaps: &[Gap]) {
    let holes = numbers.windows(2).enumerate();
    let holes = holes.filter_map(|(at, two)| {
        let dropped = two[1] - two[0] - 1;
        (dropped > 0).then_some(Gap {
            behind: at + 1,
            dropped,
        })
    });
    assert_eq!(holes.collect::<Vec<_>>(), gaps);
}

async fn the_newest_are_dropped(way: Way) {
    let _alone = alone().await;
    let hub = hub(Overflow::DropNewest);
    let mut client = open(serve(&hub, way), |call| call).await;
    let mut sums = Sums::default();
    sums.fill(&hub, event).await;
    let published = sums.published;
    let reading = tokio::spawn(async move {
        // What comes behind the gap shows where it stands.
        let read = read_to(&mut client, published, true).await;
        (client, read)
    });
    let patience = Duration::from_secs(30);
    eventually("its queue is read", patience, || hub.info().queued == 0).await;
    sums.publish(&hub, event(published)).await;
    let (_client, (numbers, gaps)) = reading.await.unwrap();
    let missing: usize = gaps.iter().map(|gap| gap.dropped).sum();
    assert_eq!(missing, sums.dropped);
    assert_eq!(hub.info().dropped, sums.dropped as u64);
    assert_eq!(numbers.len() + missing, sums.published);
    assert!(gaps.last().unwrap().dropped >= MORE, "{gaps:?}");
    assert_each_gap_is_told(&numbers, &gaps);
}

async fn what_is_newer_takes_the_place_of_its_key(way: Way) {
    let _alone = alone().await;
    let hub = hub(Overflow::Disconnect);
    let mut client = open(serve(&hub, way), |call| call).await;
    let mut sums = Sums::default();
    let state = |number| event(number).conflation_key(format!("key-{}", number % KEYS));
    sums.fill(&hub, state).await;
    let (numbers, gaps) = read_to(&mut client, sums.published - 1, false).await;
    assert_eq!(gaps, []);
    assert_eq!(numbers.len() + sums.replaced, sums.published);
    assert!(numbers.is_sorted());
    // The newest of each key, in the order in which they were published.
    let newest = all(sums.published - KEYS..sums.published);
    assert_eq!(numbers[numbers.len() - KEYS..], newest);
    assert_eq!((sums.closed, hub.info().dropped), (None, 0));
}

async fn who_is_cut_comes_back_for_the_rest(way: Way) {
    let _alone = alone().await;
    let hub = hub(Overflow::Disconnect);
    let addr = serve(&hub, way);
    let mut client = open(addr, |call| call).await;
    let mut sums = Sums::default();
    sums.fill(&hub, event).await;
    assert!(sums.closed.is_some());
    assert_eq!((hub.info().ended.overflow, hub.info().queued), (1, 0));
    let mut numbers = Vec::new();
    let mut id = String::new();
    while let Some(event) = client.try_next(Duration::from_secs(5)).await {
        numbers.push(number(&event));
        id = event.last_event_id;
    }
    assert_eq!(client.ended().await, End::Clean);
    assert!(numbers.len() < sums.published);
    let mut client = open(addr, |call| call.header("last-event-id", id)).await;
    let (rest, gaps) = read_to(&mut client, sums.published - 1, false).await;
    numbers.extend(rest);
    assert_eq!(numbers, all(0..sums.published));
    assert_eq!((gaps, hub.info().dropped), (Vec::new(), 0));
}
