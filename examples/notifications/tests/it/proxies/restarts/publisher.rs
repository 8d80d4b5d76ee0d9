//! Who sends events through a proxy, whatever happens behind it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sse_conformance::request;
use tokio::{task::JoinHandle, time::sleep};

/// How long it waits between two events, and before it sends one again.
const PACE: Duration = Duration::from_millis(20);

/// An event that has been taken.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// How often it was refused before. Then it isn't known whether somebody has got it.
    pub(super) refused: usize,
}

/// A task that sends numbers, one after the other, each until it is taken.
#[derive(Debug)]
pub(super) struct Publisher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Sent>>,
}

impl Publisher {
    pub(super) fn start(proxy: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut all = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                all.push(send(proxy, all.len()).await);
                sleep(PACE).await;
            }
            all
        });
        Self { stop, task }
    }

    /// Ends it; returns what became of the numbers from 0 on.
    pub(super) async fn stop(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn send(proxy: SocketAddr, number: usize) -> Sent {
    let text = number.to_string();
    let body = json!({ "data": text, "key": text }).to_string();
    let mut sent = Sent::default();
    loop {
        let answer = request(proxy, "POST", "/api/v1/sse/send", &[], body.clone()).await;
        if answer.status == 200 {
            return sent;
        }
        let status = answer.status.as_u16();
        assert!([502, 503, 504].contains(&status), "{status}");
        sent.refused += 1;
        sleep(PACE).await;
    }
}
