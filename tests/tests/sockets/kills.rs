//! Streams that come and go in every way there is, over a hub with limits: its counts stay true, and no
//! slot stays taken.

use std::{net::SocketAddr, time::Duration};

use sse_conformance::{Call, StreamClient, eventually};
use sse_core::{ClientId, Event, Hub, Limits, Target, TrustedProxies};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    alone,
    dead::kernel,
    dice::Dice,
    ways::{Way, each_way, serve},
};

each_way! {
    each_limit_takes_its_full_number_again,
}

const ALL: usize = 40;
const PER_CLIENT: usize = 5;
const PER_GROUP: usize = 12;
const PER_ADDRESS: usize = 15;

/// So many there are to be picked from: more streams than any limit allows.
const CLIENTS: usize = 10;
const GROUPS: usize = 5;
const ADDRESSES: usize = 4;

/// So many come and go at once, so often.
const ACTORS: usize = 8;
const STEPS: usize = 200;

const SEED: u64 = 16;
const PATIENCE: Duration = Duration::from_secs(10);

fn hub() -> Hub {
    let mut limits = Limits::default();
    limits.connections = Some(ALL);
    limits.per_client = Some(PER_CLIENT);
    limits.per_group = Some(PER_GROUP);
    limits.per_address = Some(PER_ADDRESS);
    let here = "127.0.0.0/8".parse().unwrap();
    let proxies = TrustedProxies::new([here]);
    let hub = Hub::builder().limits(limits).trusted_proxies(proxies);
    hub.heartbeat(None).build().unwrap()
}

/// A stream of a client in a group, asked for from an address.
fn call(addr: SocketAddr, client: usize, group: usize, address: usize) -> Call {
    StreamClient::open(addr, &format!("/c{client}/g{group}"))
        .header("x-forwarded-for", format!("192.0.2.{address}"))
}

/// The same; or why it isn't taken.
async fn open(call: Call) -> Result<StreamClient, String> {
    let mut client = call.await;
    let first = client.next_event().await;
    match &*first.event {
        "connected" => Ok(client),
        "refused" => Err(first.data),
        other => panic!("{other} comes first"),
    }
}

/// Opens streams, publishes, and ends streams; returns those that it left open.
async fn come_and_go(hub: Hub, addr: SocketAddr, mut dice: Dice) -> Vec<StreamClient> {
    let mut mine = Vec::new();
    for _ in 0..STEPS {
        let (client, group) = (dice.pick(1..=CLIENTS), dice.pick(1..=GROUPS));
        let call = call(addr, client, group, dice.pick(1..=ADDRESSES));
        let one = (!mine.is_empty()).then(|| dice.pick(0..=mine.len() - 1));
        match (dice.pick(1..=20), one) {
            (1..=9, _) => mine.extend(open(call).await.ok()),
            (10, _) => {
                // It goes away in the midst of it.
                let a_moment = Duration::from_millis(dice.pick(0..=2) as u64);
                drop(timeout(a_moment, open(call)).await);
            }
            (11, _) => {
                let client = ClientId::new(format!("c{client}")).unwrap();
                hub.disconnect(&Target::client(client));
            }
            (12..=14, _) => {
                let event = Event::text("x".repeat(dice.pick(0..=1_000)));
                let receipt = match dice.pick(1..=3) {
                    1 => hub.send_to(format!("c{client}"), event).await,
                    2 => hub.send_group(format!("g{group}"), event).await,
                    _ => hub.broadcast(event).await,
                };
                receipt.unwrap();
            }
            (15..=16, Some(one)) => drop(mine.swap_remove(one)),
            (17..=18, Some(one)) => mine.swap_remove(one).reset(),
            // The rest of it is read at the end.
            (_, Some(one)) => drop(mine[one].half_close().await),
            (_, None) => {}
        }
    }
    mine
}

/// Those of the streams that go on, once all is read that has come.
async fn open_ones(clients: Vec<StreamClient>) -> Vec<StreamClient> {
    const A_MOMENT: Duration = Duration::from_millis(20);
    let mut open_ones = Vec::new();
    for mut client in clients {
        while client.try_next(A_MOMENT).await.is_some() {}
        if client.end().is_none() {
            open_ones.push(client);
        }
    }
    open_ones
}

/// Whether the hub counts so many connections, and the server has so many sockets.
fn are_counted(hub: &Hub, addr: SocketAddr, count: usize) -> bool {
    hub.info().connections == count && kernel::sockets_of(addr).len() == count
}

async fn there_are(hub: &Hub, addr: SocketAddr, count: usize) {
    let what = format!("{count} streams are open, and as many counted");
    eventually(&what, PATIENCE, || are_counted(hub, addr, count)).await;
}

async fn there_are_none(hub: &Hub, addr: SocketAddr) {
    there_are(hub, addr, 0).await;
    let info = hub.info();
    assert_eq!((info.clients, info.groups), (0, 0));
}

/// So many streams can be opened, and not one more, for that reason. A call is made for each number.
async fn takes(hub: &Hub, addr: SocketAddr, count: usize, why: &str, call: impl Fn(usize) -> Call) {
    let mut clients = Vec::new();
    for number in 0..count {
        let opened = open(call(number)).await;
        let opened = opened.unwrap_or_else(|refused| panic!("{why}, number {number}: {refused}"));
        clients.push(opened);
    }
    let refused = open(call(count)).await.unwrap_err();
    assert!(refused.contains(&format!("\"{why}\"")), "{why}: {refused}");
    there_are(hub, addr, count).await;
    drop(clients);
    there_are_none(hub, addr).await;
}

async fn each_limit_takes_its_full_number_again(way: Way) {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve(&hub, way);
    let mut actors = JoinSet::new();
    for actor in 0..ACTORS {
        let dice = Dice::of(SEED, actor);
        actors.spawn(come_and_go(hub.clone(), addr, dice));
    }
    let mut left = Vec::new();
    while let Some(actor) = actors.join_next().await {
        left.extend(actor.unwrap());
    }
    // Nothing shows unless the limits were reached.
    assert!(hub.info().refused > 0);
    let begun = Instant::now();
    left = open_ones(left).await;
    // The end of some may still be on its way.
    while !are_counted(&hub, addr, left.len()) {
        let info = hub.info();
        assert!(begun.elapsed() < PATIENCE, "{}: {info:?}", left.len());
        left = open_ones(left).await;
    }
    assert!(!left.is_empty());
    drop(left);
    there_are_none(&hub, addr).await;

    takes(&hub, addr, ALL, "connections", |number| {
        call(addr, number, number % GROUPS, number % ADDRESSES)
    })
    .await;
    takes(&hub, addr, PER_CLIENT, "per-client", |number| {
        call(addr, 1, number, number)
    })
    .await;
    takes(&hub, addr, PER_GROUP, "per-group", |number| {
        call(addr, number, 1, number)
    })
    .await;
    takes(&hub, addr, PER_ADDRESS, "per-address", |number| {
        call(addr, number, number, 1)
    })
    .await;
}
