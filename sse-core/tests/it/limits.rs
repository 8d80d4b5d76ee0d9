//! How many connections there may be, and who isn't taken.

use std::net::IpAddr;

use crate::support::{Reader, parse, settle, subscribe, text, unread};
use http::{HeaderMap, Method};
use sse_core::*;

fn limits(set: impl FnOnce(&mut Limits)) -> Hub {
    let mut limits = Limits::default();
    set(&mut limits);
    Hub::builder().limits(limits).build().unwrap()
}

async fn refusal(hub: &Hub, subscribe: Subscribe) -> RefusalReason {
    match hub.subscribe(subscribe).await {
        Err(SubscribeError::Refused(refusal)) => refusal.reason(),
        other => panic!("{other:?}"),
    }
}

fn from(address: &str) -> Subscribe {
    let address: IpAddr = address.parse().unwrap();
    subscribe("ada", &[]).remote_addr(address)
}

#[tokio::test]
async fn a_slot_is_free_the_moment_its_connection_ends() {
    let hub = limits(|limits| limits.connections = Some(2));
    let ada = unread(&hub, subscribe("ada", &[])).await;
    let _bob = unread(&hub, subscribe("bob", &[])).await;
    for _ in 0..3 {
        let reason = refusal(&hub, subscribe("eve", &[])).await;
        assert_eq!(reason, RefusalReason::Connections);
    }
    drop(ada);
    let eve = unread(&hub, subscribe("eve", &[])).await;
    assert_eq!(
        hub.disconnect(&Target::client(ClientId::new("eve").unwrap())),
        1
    );
    // Its body is still there.
    let _again = unread(&hub, subscribe("eve", &[])).await;
    drop(eve);
    assert_eq!(
        refusal(&hub, subscribe("eve", &[])).await,
        RefusalReason::Connections
    );
    assert_eq!((hub.info().refused, hub.info().connections), (4, 2));
}

#[tokio::test]
async fn one_client_has_so_many() {
    let hub = limits(|limits| limits.per_client = Some(2));
    let first = unread(&hub, subscribe("ada", &[])).await;
    let _second = unread(&hub, subscribe("ada", &[])).await;
    assert_eq!(
        refusal(&hub, subscribe("ada", &[])).await,
        RefusalReason::PerClient
    );
    let _other = unread(&hub, subscribe("bob", &[])).await;
    drop(first);
    let _third = unread(&hub, subscribe("ada", &[])).await;
}

fn replacing(per_client: usize) -> Hub {
    limits(|limits| {
        limits.per_client = Some(per_client);
        limits.over_client = OverClient::ReplaceOldest;
    })
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_the_oldest() {
    let hub = replacing(2);
    let mut readers: Vec<Reader> = Vec::new();
    for number in 0..5 {
        readers.push(unread(&hub, subscribe("ada", &[])).await);
        hub.send_to("ada", text(number.to_string())).await.unwrap();
    }
    let ids: Vec<_> = readers.iter().map(|reader| reader.handle.id()).collect();
    for (number, reader) in readers.iter_mut().enumerate() {
        let mut expected = vec!["connected".to_owned()];
        expected.extend((number..5.min(number + 2)).map(|n| n.to_string()));
        if let Some(by) = ids.get(number + 2) {
            expected.push(format!(r#"replaced {{"by":"{by}"}}"#));
        }
        assert_eq!(reader.read(), expected, "what waited comes first");
        assert_eq!(reader.ended, number < 3);
    }
    let info = hub.info();
    assert_eq!(
        (info.connections, info.ended.replaced, info.refused),
        (2, 3, 0)
    );
}

#[tokio::test]
async fn who_is_replaced_makes_room_under_every_limit() {
    let hub = limits(|limits| {
        limits.per_client = Some(1);
        limits.over_client = OverClient::ReplaceOldest;
        limits.connections = Some(1);
        limits.per_address = Some(1);
        limits.per_group = Some(1);
    });
    let ada = || from("192.0.2.7").group(GroupName::new("g").unwrap());
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(hub.subscribe(ada()).await.unwrap());
    }
    assert_eq!(hub.info().connections, 1);
    let bob = subscribe("bob", &[]);
    assert_eq!(refusal(&hub, bob).await, RefusalReason::Connections);
}

#[tokio::test]
async fn a_group_has_so_many_however_they_come_and_go() {
    let hub = limits(|limits| limits.per_group = Some(2));
    let first = unread(&hub, subscribe("ada", &["g"])).await;
    let second = unread(&hub, subscribe("bob", &[])).await;
    let third = unread(&hub, subscribe("eve", &[])).await;
    assert!(second.handle.join("g").await.unwrap());
    assert!(
        !second.handle.join("g").await.unwrap(),
        "it is in it, and it is full"
    );
    let full = third.handle.join("g").await;
    assert!(matches!(full, Err(MembershipError::GroupFull)), "{full:?}");
    assert_eq!(
        refusal(&hub, subscribe("kim", &["h", "g"])).await,
        RefusalReason::PerGroup
    );
    assert!(second.handle.leave("g").await.unwrap());
    assert!(!second.handle.leave("g").await.unwrap());
    assert!(third.handle.join("g").await.unwrap());
    drop(first);
    let _fourth = unread(&hub, subscribe("kim", &["g"])).await;
    let full = second.handle.join("g").await;
    assert!(matches!(full, Err(MembershipError::GroupFull)), "{full:?}");
    drop(third);
    assert!(second.handle.join("g").await.unwrap());
}

#[tokio::test]
async fn an_address_has_so_many() {
    let hub = limits(|limits| limits.per_address = Some(1));
    let first = hub.subscribe(from("192.0.2.7")).await.unwrap();
    assert_eq!(
        refusal(&hub, from("192.0.2.7")).await,
        RefusalReason::PerAddress
    );
    assert_eq!(
        refusal(&hub, from("::ffff:192.0.2.7")).await,
        RefusalReason::PerAddress
    );
    let _other = hub.subscribe(from("192.0.2.8")).await.unwrap();
    let _network = hub.subscribe(from("2001:db8::1")).await.unwrap();
    assert_eq!(
        refusal(&hub, from("2001:db8::2")).await,
        RefusalReason::PerAddress
    );
    let _next = hub.subscribe(from("2001:db8:0:1::1")).await.unwrap();
    let _unknown = hub.subscribe(subscribe("ada", &[])).await.unwrap();
    drop(first);
    let _again = hub.subscribe(from("192.0.2.7")).await.unwrap();
}

#[tokio::test]
async fn behind_a_proxy_that_is_trusted_its_header_tells_the_address() {
    let mut limits = Limits::default();
    limits.per_address = Some(1);
    let proxies = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]);
    let builder = Hub::builder().limits(limits).trusted_proxies(proxies);
    let hub = builder.build().unwrap();
    let request = |peer: &str, told: &str| {
        let told = ("x-forwarded-for".parse().unwrap(), told.parse().unwrap());
        let headers = HeaderMap::from_iter([told]);
        let peer = format!("{peer}:4711").parse().ok();
        StreamRequest::new(&Method::GET, &headers, None).from_peer(peer)
    };
    let open =
        async |peer: &str, told: &str| request(peer, told).client("ada").subscribe(&hub).await;
    let first = open("10.0.0.1", "192.0.2.7").await.unwrap();
    assert!(open("10.0.0.1", "192.0.2.7").await.is_err());
    assert!(
        open("10.0.0.2", "6.6.6.6, 192.0.2.7").await.is_err(),
        "made up"
    );
    let second = open("10.0.0.1", "192.0.2.8").await.unwrap();
    let third = open("203.0.113.1", "192.0.2.9").await.unwrap();
    assert!(
        open("203.0.113.1", "192.0.2.10").await.is_err(),
        "not a proxy of ours"
    );
    let address = request("10.0.0.1", "192.0.2.7").remote_addr(&hub);
    assert_eq!(address, Some("192.0.2.7".parse().unwrap()));
    drop((first, second, third));
}

#[tokio::test]
async fn a_connection_is_in_so_many_groups() {
    let hub = limits(|limits| limits.groups = 2);
    let refused = refusal(&hub, subscribe("ada", &["a", "b", "c"])).await;
    assert_eq!(refused, RefusalReason::Groups);
    let ada = unread(&hub, subscribe("ada", &["a", "b"])).await;
    let full = ada.handle.join("c").await;
    assert!(
        matches!(full, Err(MembershipError::TooManyGroups(2))),
        "{full:?}"
    );
    assert!(!ada.handle.join("a").await.unwrap(), "it is in it");
    ada.handle.leave("a").await.unwrap();
    assert!(ada.handle.join("c").await.unwrap());
}

#[tokio::test]
async fn a_limit_of_nothing_makes_no_sense() {
    for what in ["connections", "per_client", "per_group", "per_address"] {
        let json = format!(r#"{{"limits": {{"{what}": 0}}}}"#);
        let config: HubConfig = serde_json::from_str(&json).unwrap();
        let error = Hub::builder().config(config).build().unwrap_err();
        assert_eq!(error.to_string(), format!("limits.{what} must not be zero"));
    }
}

#[tokio::test]
async fn each_is_told_another_time_to_come_back() {
    let hub = limits(|limits| limits.connections = Some(1));
    let _one = hub.subscribe(subscribe("ada", &[])).await.unwrap();
    let mut retries = Vec::new();
    for _ in 0..100 {
        let Err(SubscribeError::Refused(refusal)) = hub.subscribe(subscribe("bob", &[])).await
        else {
            panic!("it is taken");
        };
        let retry = u64::try_from(refusal.retry().as_millis()).unwrap();
        assert!((5_000..=10_000).contains(&retry));
        let event = parse(&refusal.event());
        let told = format!(r#"refused {{"reason":"connections","retry_ms":{retry}}}"#);
        assert_eq!(
            event.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [told]
        );
        assert_eq!(refusal.status(), 503);
        retries.push(retry);
    }
    retries.sort_unstable();
    retries.dedup();
    assert!(retries.len() > 50);
}

/// Whatever happens at the same time, all slots are free in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_churn() {
    let hub = limits(|limits| {
        limits.connections = Some(20);
        limits.per_client = Some(3);
        limits.over_client = OverClient::ReplaceOldest;
        limits.per_group = Some(8);
        limits.per_address = Some(12);
    });
    let clients = (0..8_u32).map(|client| {
        let hub = hub.clone();
        tokio::spawn(async move {
            for round in 0..500_u32 {
                let name = format!("client-{}", (client + round) % 5);
                let group = GroupName::new(format!("g{}", round % 3)).unwrap();
                let address: IpAddr = [192, 0, 2, (round % 2) as u8].into();
                let subscribe = subscribe(&name, &[]).remote_addr(address).group(group);
                let Ok(subscription) = hub.subscribe(subscribe).await else {
                    continue;
                };
                let handle = subscription.handle();
                let joined = tokio::spawn(async move {
                    let _ = handle.join("g0").await;
                    let _ = handle.leave("g1").await;
                });
                match round % 4 {
                    0 => drop(subscription),
                    1 => drop(hub.disconnect(&Target::connection(subscription.id()))),
                    2 => joined.abort(),
                    _ => tokio::task::yield_now().await,
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    settle().await;
    assert_eq!(hub.info().connections, 0);
    // Exactly as many as the limits say are taken again.
    let mut taken = Vec::new();
    for number in 0..30 {
        let address: IpAddr = [192, 0, 2, (number % 2) as u8].into();
        let subscribe = subscribe(&format!("new-{number}"), &[]).remote_addr(address);
        let groups: &[&str] = if number < 10 {
            &["g0", "g1", "g2"]
        } else {
            &[]
        };
        let names = groups.iter().map(|group| GroupName::new(*group).unwrap());
        let subscribe = names.fold(subscribe, Subscribe::group);
        taken.extend(hub.subscribe(subscribe).await.ok());
    }
    assert_eq!(taken.len(), 20, "8 with groups, and 12 without");
    assert_eq!(hub.info().groups, 3);
}
