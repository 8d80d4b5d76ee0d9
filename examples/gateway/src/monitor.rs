//! A line for each connection, now and then.

use std::time::Duration;

use sse_core::{Hub, Progress, Target};
use tokio::{task::yield_now, time::sleep};
use tracing::Level;

/// How many lines are logged before other tasks get their turn.
const CHUNK: usize = 256;

/// Logs how each connection gets on, as long as somebody listens.
pub async fn monitor(hub: Hub, every: Duration) {
    loop {
        sleep(every).await;
        if !tracing::enabled!(Level::DEBUG) {
            continue;
        }
        for connections in hub.connections(&Target::everybody()).chunks(CHUNK) {
            for connection in connections {
                let (Some(progress), Some(user)) = (connection.progress(), connection.client())
                else {
                    continue;
                };
                let Progress {
                    taken,
                    waiting,
                    bytes,
                } = progress;
                let id = connection.id();
                tracing::debug!(connection = %id, %user, taken, waiting, bytes, "connection");
            }
            yield_now().await;
        }
    }
}
