//! A client in Rust that comes back as an `EventSource` does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sse_conformance::{Dispatched, End, StreamClient};
use tokio::time::sleep;

use crate::{
    cast::Member,
    ledger::{Got, Ledger},
};

/// When it comes back as long as it hasn't been told.
const RECONNECTION_TIME: Duration = Duration::from_millis(100);

/// Follows a stream for ever.
pub(crate) async fn follow(addr: SocketAddr, member: Member, ledger: Arc<Ledger>) {
    let (mut last_event_id, mut reconnection_time) = (String::new(), RECONNECTION_TIME);
    loop {
        let mut call = StreamClient::open(addr, &member.path());
        if !last_event_id.is_empty() {
            call = call.header("last-event-id", &last_event_id);
        }
        if let Ok(mut stream) = call.try_open().await {
            while let Some(dispatched) = next(&mut stream).await {
                let Dispatched {
                    event,
                    data,
                    last_event_id: id,
                } = dispatched;
                // As browsers do: what has no id leaves the place where it was.
                if !id.is_empty() {
                    last_event_id.clone_from(&id);
                }
                ledger.got(&member.client, Got { event, id, data });
            }
            let end = stream.end();
            assert!(!matches!(end, Some(End::Malformed(_))), "{end:?}");
            reconnection_time = stream.stream().retry().unwrap_or(reconnection_time);
        }
        sleep(reconnection_time).await;
    }
}

/// The next event; none at the end of the stream.
async fn next(stream: &mut StreamClient) -> Option<Dispatched> {
    loop {
        let event = stream.try_next(Duration::from_secs(1)).await;
        if event.is_some() || stream.end().is_some() {
            return event;
        }
    }
}
