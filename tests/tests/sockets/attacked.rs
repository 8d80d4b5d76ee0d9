//! Clients keep the delays that they have, while others attack as fast as the machine has room for.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sse_conformance::StreamClient;
use sse_core::Hub;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};

use crate::{
    alone,
    delays::{Run, median},
    dice::Dice,
    hostile::{
        connect,
        frames::{Frames, PREFACE},
        random_bytes, send, send_garbage, trickle,
    },
    ways::{Way, each_way, serve},
};

each_way! {
    an_attack_costs_the_others_no_delay,
}

const CLIENTS: usize = 100;
const ROUNDS: usize = 5;
const RUN: Run = Run {
    events: 30,
    pace: Duration::from_millis(10),
};
/// From one attacker to the next.
const BETWEEN_ATTACKS: Duration = Duration::from_millis(2);
/// How many requests are under way all the time that never end.
const SLOW: usize = 1_000;
const SEED: u64 = 17;

/// A runtime with a thread of its own, which ends with the test.
struct Apart(Option<Runtime>);

impl Apart {
    fn new() -> Self {
        let mut builder = Builder::new_multi_thread();
        Self(Some(
            builder.worker_threads(1).enable_all().build().unwrap(),
        ))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("until the end").handle()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // In the midst of another runtime nothing may be waited for.
        self.0.take().expect("until the end").shutdown_background();
    }
}

async fn an_attack_costs_the_others_no_delay(way: Way) {
    let _alone = alone().await;
    let (server, attackers) = (Apart::new(), Apart::new());
    let hub = Hub::builder().heartbeat(None).build().unwrap();
    let addr = {
        let _server = server.handle().enter();
        serve(&hub, way)
    };
    let mut readers = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let mut reader = StreamClient::open(addr, &format!("/c{n}")).await;
        reader.next_named("connected").await;
        readers.push(reader);
    }
    // A first run warms everything up.
    RUN.p99(&hub, server.handle(), &mut readers).await;
    let mut tries = Vec::new();
    // The machine has other work too: only what shows three times is the library's doing.
    while tries.len() < 3 {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(RUN.p99(&hub, server.handle(), &mut readers).await);
            let attack = Attack::on(addr, attackers.handle()).await;
            with.push(RUN.p99(&hub, server.handle(), &mut readers).await);
            let attackers = attack.end().await;
            assert!(attackers > 50, "{attackers} came while others were served");
        }
        let (without, with) = (median(without), median(with));
        #[expect(clippy::print_stdout, reason = "the figures")]
        {
            println!("{way:?}: {without:?} without, {with:?} with");
        }
        if with <= without.mul_f64(1.5) {
            return;
        }
        tries.push((without, with));
    }
    panic!("p99 delays without and with attackers: {tries:?}");
}

/// Attackers of each kind, one after the other, beside many that send their heads byte by byte.
struct Attack {
    slow: JoinSet<()>,
    is_over: Arc<AtomicBool>,
    others: JoinHandle<usize>,
}

impl Attack {
    async fn on(addr: SocketAddr, runtime: &Handle) -> Self {
        let mut slow = JoinSet::new();
        for number in 0..SLOW {
            let socket = connect(addr).await;
            let trickling = async move {
                let head = "GET /slow HTTP/1.1\r\nhost: x\r\nx: x".as_bytes();
                trickle(
                    socket,
                    if number % 2 == 0 {
                        head
                    } else {
                        &PREFACE[..20]
                    },
                )
                .await;
            };
            slow.spawn_on(trickling, runtime);
        }
        let is_over = Arc::<AtomicBool>::default();
        let others = runtime.spawn(attack_until(Arc::clone(&is_over), addr));
        Self {
            slow,
            is_over,
            others,
        }
    }

    /// How many came beside the slow ones, all of which have gone.
    async fn end(mut self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.slow.shutdown().await;
        self.others.await.unwrap()
    }
}

/// Has one attacker come after the other; how many those were, once all have gone.
async fn attack_until(is_over: Arc<AtomicBool>, addr: SocketAddr) -> usize {
    let mut next = interval(BETWEEN_ATTACKS);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut attackers = JoinSet::new();
    while !is_over.load(Ordering::Relaxed) {
        next.tick().await;
        attackers.spawn(attack(addr, attackers.len()));
    }
    let count = attackers.len();
    while let Some(gone) = attackers.join_next().await {
        gone.unwrap();
    }
    count
}

async fn attack(addr: SocketAddr, number: usize) {
    let mut dice = Dice::of(SEED, number);
    let head = format!("GET /reset{number} HTTP/1.1\r\nhost: x\r\n\r\n");
    let sent = match number % 6 {
        0 => head.into_bytes(),
        1 => head.as_bytes()[..head.len() / 2].to_vec(),
        2 => return send_garbage(addr, random_bytes(&mut dice, 4_096), true).await,
        3 => format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(100_000)).into_bytes(),
        4 => {
            let mut frames = Frames::new();
            for stream in 0..20 {
                frames.get(2 * stream + 1, b"/reset");
                frames.reset(2 * stream + 1);
            }
            frames.bytes().to_vec()
        }
        _ => {
            let mut frames = Frames::new();
            let payload = random_bytes(&mut dice, 200);
            frames.push(dice.pick(0..=12) as u8, 0, 1, &payload);
            frames.bytes().to_vec()
        }
    };
    let mut socket = connect(addr).await;
    send(&mut socket, &sent).await;
    socket.set_zero_linger().unwrap();
}
