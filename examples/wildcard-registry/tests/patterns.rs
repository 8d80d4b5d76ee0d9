//! The registry at work, in a hub.

use std::time::Duration;

use http_body_util::BodyExt;
use sse_conformance::{Dispatched, EventStream};
use sse_core::{
    ClientId, Event, EventBody, GroupName, Hub, LastEventId, Subscribe, Subscription, Target,
};
use tokio::time::timeout;
use wildcard_registry::WildcardRegistry;

fn hub() -> Hub {
    Hub::builder()
        .registry(WildcardRegistry::new())
        .build()
        .unwrap()
}

fn member(client: &str, groups: &[&str]) -> Subscribe {
    let subscribe = Subscribe::new(ClientId::new(client).unwrap());
    groups.iter().fold(subscribe, |subscribe, group| {
        subscribe.group(GroupName::new(group).unwrap())
    })
}

async fn subscribe(hub: &Hub, client: &str, groups: &[&str]) -> Subscription {
    hub.subscribe(member(client, groups)).await.unwrap()
}

/// Reads a stream up to an event of this name.
async fn read_to(body: &mut EventBody, name: &str) -> Vec<Dispatched> {
    let (mut stream, mut events) = (EventStream::new(), Vec::<Dispatched>::new());
    while events.last().is_none_or(|last| last.event != name) {
        let frame = timeout(Duration::from_secs(10), body.frame()).await;
        let frame = frame.expect("it comes soon").expect("it goes on").unwrap();
        events.extend(stream.push(frame.data_ref().unwrap()));
    }
    events
}

async fn reached(hub: &Hub, group: &str) -> u32 {
    let receipt = hub.send_group(group, Event::text("x")).await.unwrap();
    receipt.outcome().await.unwrap().matched
}

#[tokio::test]
async fn a_pattern_gets_what_is_sent_to_the_groups_that_it_matches() {
    let hub = hub();
    let _all = subscribe(&hub, "all", &["orders.*", "*.eu"]).await;
    let _eu = subscribe(&hub, "eu", &["orders.eu"]).await;
    let _any = subscribe(&hub, "any", &["*.*.*"]).await;
    for (group, expected) in [
        ("orders.eu", 2),
        ("orders.us", 1),
        ("invoices.eu", 1),
        ("orders", 0),
        ("orders.eu.1", 1),
        ("orders.*", 1),
        ("*.*", 0),
        ("*.*.1", 0),
    ] {
        assert_eq!(reached(&hub, group).await, expected, "{group}");
    }
    let eu = GroupName::new("orders.eu").unwrap();
    let all = ClientId::new("all").unwrap();
    assert_eq!(hub.connections(&Target::client(all).within(eu)).len(), 1);
}

#[tokio::test]
async fn a_pattern_can_be_joined_and_left() {
    let hub = hub();
    let stream = subscribe(&hub, "ada", &[]).await;
    assert_eq!(reached(&hub, "orders.eu").await, 0);
    assert!(hub.join(stream.id(), "orders.*").await.unwrap());
    assert_eq!(reached(&hub, "orders.eu").await, 1);
    assert!(hub.leave(stream.id(), "orders.*").await.unwrap());
    assert_eq!(reached(&hub, "orders.eu").await, 0);
}

#[tokio::test]
async fn a_member_of_a_pattern_that_comes_back_gets_what_was_sent_meanwhile() {
    let hub = hub();
    let mut body = subscribe(&hub, "ada", &["orders.*"]).await.into_body();
    let seen = read_to(&mut body, "connected").await.remove(0);
    drop(body);
    for group in ["orders.eu", "invoices.eu", "orders.eu.1", "orders.us"] {
        hub.send_group(group, Event::text(group)).await.unwrap();
    }
    let last = LastEventId::parse(seen.last_event_id.as_bytes());
    let back = member("ada", &["orders.*"]).last_event_id(last);
    let mut body = hub.subscribe(back).await.unwrap().into_body();
    let events = read_to(&mut body, "caught-up").await;
    let missed: Vec<&str> = events
        .iter()
        .filter(|event| event.event == "message")
        .map(|event| &*event.data)
        .collect();
    assert_eq!(missed, ["orders.eu", "orders.us"]);
}
