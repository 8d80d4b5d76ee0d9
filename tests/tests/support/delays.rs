//! How late broadcasts come to many clients.

use std::time::{Duration, Instant};

use sse_conformance::StreamClient;
use sse_core::{Event, Hub};
use tokio::{runtime::Handle, task::JoinSet};

/// A run of broadcasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) events: u32,
    /// From one to the next.
    pub(crate) pace: Duration,
}

impl Run {
    /// The 99th percentile of the delays to all readers; published on `runtime`.
    pub(crate) async fn p99(
        self,
        hub: &Hub,
        runtime: &Handle,
        readers: &mut Vec<StreamClient>,
    ) -> Duration {
        let base = Instant::now();
        let mut reading = JoinSet::new();
        for mut reader in readers.drain(..) {
            reading.spawn(async move {
                let mut delays = Vec::with_capacity(self.events as usize);
                while delays.len() < self.events as usize {
                    let event = reader.next_named("message").await;
                    let sent = Duration::from_nanos(event.data.parse().unwrap());
                    delays.push(base.elapsed() - sent);
                }
                (reader, delays)
            });
        }
        let hub = hub.clone();
        let publishing = runtime.spawn(async move {
            for n in 0..self.events {
                tokio::time::sleep_until((base + self.pace * n).into()).await;
                let sent = base.elapsed().as_nanos();
                hub.broadcast(Event::text(sent.to_string())).await.unwrap();
            }
        });
        let mut delays = Vec::new();
        while let Some(read) = reading.join_next().await {
            let (reader, more) = read.unwrap();
            readers.push(reader);
            delays.extend(more);
        }
        publishing.await.unwrap();
        let at = delays.len() * 99 / 100;
        *delays.select_nth_unstable(at).1
    }
}

pub(crate) fn median(mut figures: Vec<Duration>) -> Duration {
    figures.sort_unstable();
    figures[figures.len() / 2]
}
