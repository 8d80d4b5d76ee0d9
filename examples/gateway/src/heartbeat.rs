//! What the gateway's own events tell.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sse_core::{Heartbeat, Opening};

/// The data of the opening event.
pub(crate) fn opening(opening: &Opening<'_>) -> Value {
    json!({ "connection_id": opening.connection.id() })
}

/// The data of a heartbeat.
pub(crate) fn data(heartbeat: &Heartbeat<'_>) -> Value {
    let connection = heartbeat.connection;
    json!({
        "type": heartbeat.kind,
        "timestamp": millis(heartbeat.time),
        "data": humantime::format_rfc3339_seconds(heartbeat.time).to_string(),
        "client_id": connection.id(),
        "user_id": connection.client(),
    })
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
