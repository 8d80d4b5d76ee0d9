//! Clients that are ended for good, and connections whose time is over.

use std::time::Duration;

use crate::support::{pass, subscribe, text, unread};
use http::{HeaderMap, Method};
use sse_core::*;

const HOUR: Duration = Duration::from_secs(3600);

fn client(name: &str) -> Target {
    Target::client(ClientId::new(name).unwrap())
}

async fn status(hub: &Hub, client: &str) -> u16 {
    let request = StreamRequest::new(&Method::GET, &HeaderMap::new(), None);
    let response = request.client(client.to_owned()).open(hub).await;
    response.status().as_u16()
}

#[tokio::test]
async fn who_is_ended_for_good_is_told_and_does_not_come_back() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let mut tabs = Vec::new();
    for _ in 0..2 {
        tabs.push(unread(&hub, subscribe("ada", &[])).await);
    }
    let mut bob = unread(&hub, subscribe("bob", &[])).await;
    hub.broadcast(text("last")).await.unwrap();
    let how = Final::lasting(HOUR).reason("signed-out");
    assert_eq!(hub.disconnect_for_good(&client("ada"), how), 2);
    for tab in &mut tabs {
        let told = ["connected", "last", r#"closed {"reason":"signed-out"}"#];
        assert_eq!(tab.read(), told);
        assert!(tab.ended);
    }
    assert_eq!(bob.read(), ["connected", "last"]);
    let refused = hub.subscribe(subscribe("ada", &[])).await;
    assert!(matches!(refused, Err(SubscribeError::Final)), "{refused:?}");
    assert_eq!(
        (status(&hub, "ada").await, status(&hub, "bob").await),
        (204, 200)
    );
    clock.advance(HOUR - Duration::from_secs(1));
    assert_eq!(status(&hub, "ada").await, 204);
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(&hub, "ada").await, 200);
    assert_eq!(hub.info().ended.r#final, 2);
}

#[tokio::test]
async fn who_is_allowed_comes_back_before() {
    let hub = Hub::builder().build().unwrap();
    assert!(!hub.allow("ada").unwrap());
    // It isn't connected, and is named.
    let how = || Final::lasting(Duration::MAX);
    assert_eq!(hub.disconnect_for_good(&client("ada"), how()), 0);
    assert_eq!(status(&hub, "ada").await, 204);
    assert!(hub.allow("ada").unwrap());
    assert_eq!(status(&hub, "ada").await, 200);
    assert!(hub.allow("a\n").is_err());

    let mut reader = unread(&hub, subscribe("eve", &["g"])).await;
    let group = Target::group(GroupName::new("g").unwrap());
    assert_eq!(hub.disconnect_for_good(&group, how()), 1);
    assert_eq!(reader.read()[1], r#"closed {"reason":"disconnected"}"#);
    assert_eq!(status(&hub, "eve").await, 204);
}

#[tokio::test]
async fn a_plain_disconnect_lets_clients_come_back() {
    let hub = Hub::builder().build().unwrap();
    let mut reader = unread(&hub, subscribe("ada", &[])).await;
    assert_eq!(hub.disconnect(&client("ada")), 1);
    assert_eq!(reader.read(), ["connected"]);
    assert_eq!(status(&hub, "ada").await, 200);
}

#[tokio::test]
async fn a_connection_whose_time_is_over_is_told_to_come_back() {
    let clock = ManualClock::new();
    let builder = Hub::builder().clock(clock.clone()).heartbeat(None);
    let hub = builder.build().unwrap();
    let minute = Duration::from_secs(60);
    let mut short = unread(&hub, subscribe("ada", &[]).lifetime(minute)).await;
    let mut long = unread(&hub, subscribe("bob", &[])).await;
    hub.broadcast(text("1")).await.unwrap();
    assert_eq!((short.read().len(), long.read().len()), (2, 2));
    pass(&clock, minute - Duration::from_secs(1)).await;
    assert_eq!(hub.info().ended.expired, 0);
    pass(&clock, Duration::from_secs(2)).await;
    assert_eq!(hub.info().ended.expired, 1);
    let told = short.read();
    assert!(
        told[0].starts_with(r#"reconnect {"reason":"expired","retry_ms":"#),
        "{told:?}"
    );
    assert!(short.ended && !long.ended);
    assert_eq!(status(&hub, "ada").await, 200);
}

#[tokio::test(start_paused = true)]
async fn the_longest_lifetime_ends_all_at_different_times() {
    let hub = Hub::builder().max_lifetime(HOUR).build().unwrap();
    let mut bodies = Vec::new();
    for _ in 0..200 {
        let own = Duration::from_secs(5 * 3600);
        let subscribe = subscribe("ada", &[]).lifetime(own);
        let body = hub.subscribe(subscribe).await.unwrap().into_body();
        // Whoever reads isn't reaped.
        bodies.push(tokio::spawn(futures_util::StreamExt::collect::<Vec<_>>(
            body,
        )));
    }
    let connections = async |minute: u64| {
        let minutes = Duration::from_secs(60 * minute);
        tokio::time::sleep_until(tokio::time::Instant::now() + minutes).await;
        hub.info().connections
    };
    assert_eq!(connections(44).await, 200);
    let half = connections(8).await;
    assert!((60..=140).contains(&half), "{half}");
    assert_eq!(connections(9).await, 0);
    assert_eq!(hub.info().ended.expired, 200);
}
