//! The demo restarts behind a proxy, and nobody misses anything.

mod event_source;
mod publisher;

use std::{convert::Infallible, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use self::{
    event_source::{Follower, Ledger},
    publisher::{Publisher, Sent},
};
use super::{
    PATIENCE,
    client::Wire,
    has_connections,
    proxy::{Kind, Proxy, free_addr},
};
use crate::{frameworks::Framework, support::Server};

behind_each_proxy! {
    nobody_misses_anything_over_a_restart,
    nobody_misses_anything_while_it_is_away_for_longer,
}

const CLIENTS: usize = 50;

/// How long events flow before and after.
const FLOW: Duration = Duration::from_millis(700);

async fn nobody_misses_anything_over_a_restart(kind: Kind) {
    restart(kind, Duration::ZERO, &[]).await;
}

/// So long that clients come back while nobody is there, and are told to come again.
async fn nobody_misses_anything_while_it_is_away_for_longer(kind: Kind) {
    // Until then the proxy would hold them for up to five seconds.
    let changes: &[_] = match kind {
        Kind::Nginx => &[],
        Kind::Haproxy => &[("retries 3", "retries 0")],
        Kind::Caddy => &[("lb_try_duration 5s", "lb_try_duration 100ms")],
    };
    let ledgers = restart(kind, Duration::from_secs(4), changes).await;
    let came_in_vain = ledgers
        .iter()
        .filter(|ledger| ledger.came_in_vain())
        .count();
    assert!(came_in_vain > CLIENTS / 2, "{came_in_vain}");
}

/// Clients follow, a publisher publishes, and the demo is away for a while after it has ended.
async fn restart(kind: Kind, away: Duration, changes: &[(&str, &str)]) -> Vec<Ledger> {
    let addr = free_addr();
    let port = addr.port().to_string();
    let start = async || {
        let args = ["--port", &port, "--drain", "1s"];
        Framework("poem").start(&args).await
    };
    let mut server = start().await;
    let proxy = Proxy::start(kind, addr, changes).await;
    let (followers, mut tasks) = follow(&proxy).await;
    has_connections(&server, CLIENTS as u64).await;

    let publisher = Publisher::start(proxy.plain);
    sleep(FLOW).await;
    end(&mut server).await;
    sleep(away).await;
    let restarted = start().await;
    has_connections(&restarted, CLIENTS as u64).await;
    sleep(FLOW).await;
    let sent = publisher.stop().await;

    let last = sent.len() - 1;
    let deadline = Instant::now() + PATIENCE;
    for follower in &followers {
        while !follower.has(last) {
            assert!(Instant::now() < deadline, "{follower:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
    if let Some(gave_up) = tasks.try_join_next() {
        panic!("{gave_up:?}");
    }
    let ledgers: Vec<_> = followers.iter().map(Follower::ledger).collect();
    for ledger in &ledgers {
        everything_once(ledger, &sent);
    }
    told(&format!("{kind:?}, away {away:?}"), &sent);
    ledgers
}

#[expect(clippy::print_stdout, reason = "the figures")]
fn told(what: &str, sent: &[Sent]) {
    let again = sent.iter().map(|sent| sent.refused).sum::<usize>();
    let all = sent.len();
    println!("{what}: {CLIENTS} clients, {all} events, {again} refusals");
}

/// Half of them over HTTP/1.1, half of them over HTTP/2.
async fn follow(proxy: &Proxy) -> (Vec<Follower>, JoinSet<Infallible>) {
    let (mut followers, mut tasks) = (Vec::new(), JoinSet::new());
    for number in 0..CLIENTS {
        let wire = match number % 4 {
            0 => Wire::Http1,
            1 => Wire::Http1Tls,
            _ => Wire::Http2Tls,
        };
        let follower = Follower::new(proxy.entrance(wire), format!("client-{number}"));
        tasks.spawn(follower.clone().follow());
        followers.push(follower);
    }
    (followers, tasks)
}

async fn end(server: &mut Server) {
    server.terminate();
    let status = timeout(PATIENCE, server.process.wait()).await.unwrap();
    assert!(status.unwrap().success());
}

/// All that was sent, in order. Twice is only what was sent again because its fate was unclear.
fn everything_once(ledger: &Ledger, sent: &[Sent]) {
    let mut rest = ledger.numbers.iter().copied().peekable();
    for (number, sent) in sent.iter().enumerate() {
        assert_eq!(rest.next(), Some(number), "{ledger:?}");
        if sent.refused > 0 {
            rest.next_if_eq(&number);
        }
    }
    assert_eq!(rest.next(), None, "{ledger:?}");
}
