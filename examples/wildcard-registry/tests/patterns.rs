//! The registry at work, in a hub.

use sse_core::{ClientId, Event, GroupName, Hub, Subscribe, Subscription, Target};
use wildcard_registry::WildcardRegistry;

fn hub() -> Hub {
    Hub::builder()
        .registry(WildcardRegistry::new())
        .build()
        .unwrap()
}

async fn subscribe(hub: &Hub, client: &str, groups: &[&str]) -> Subscription {
    let subscribe = Subscribe::new(ClientId::new(client).unwrap());
    let subscribe = groups.iter().fold(subscribe, |subscribe, group| {
        subscribe.group(GroupName::new(group).unwrap())
    });
    hub.subscribe(subscribe).await.unwrap()
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
