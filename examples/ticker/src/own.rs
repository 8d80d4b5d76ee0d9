//! A stream of its own for each connection, with a task that feeds it.

use std::time::{Duration, SystemTime};

use axum::{extract::State, http::Version};
use sse_axum::{Sse, SseError, SseResponse};
use sse_core::{ConnectionHandle, Event, PublishError};
use tokio::time::interval;

use crate::app::App;

/// Everybody is the same client here: each stream is fed by itself.
const CLIENT: &str = "reader";

/// Opens a stream, and begins to tell it the time.
pub(crate) async fn stream(
    State(app): State<App>,
    version: Version,
    sse: Sse,
) -> Result<SseResponse, SseError> {
    let peer = sse.peer_addr().map(tracing::field::display);
    let subscription = sse.client(CLIENT).subscribe(&app.hub).await?;
    let handle = subscription.handle();
    tracing::info!(peer, id = %handle.id(), ?version, "connected");
    tokio::spawn(async move {
        // A hub that is closed has no streams either.
        handle
            .while_open(tell_time(&handle, version, app.every))
            .await;
        tracing::info!(peer, id = %handle.id(), "disconnected");
    });
    Ok(subscription.into())
}

/// Tells one stream by which protocol it came, and then the time, again and again.
async fn tell_time(
    stream: &ConnectionHandle,
    version: Version,
    every: Duration,
) -> Result<(), PublishError> {
    let protocol = Event::text(format!("{version:?}")).event("protocol");
    stream.send(protocol).await?;
    let mut interval = interval(every);
    loop {
        interval.tick().await;
        stream.send(time().event("time")).await?;
    }
}

/// The time as RFC 3339 has it.
pub(crate) fn time() -> sse_core::EventBuilder {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    Event::text(now.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use sse_core::{Hub, Subscribe};
    use tokio::time::{Instant, advance};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_is_told_every_two_seconds_until_the_stream_ends() {
        let hub = Hub::builder().build().unwrap();
        let subscribe = Subscribe::client_id(CLIENT).unwrap();
        let subscription = hub.subscribe(subscribe).await.unwrap();
        let handle = subscription.handle();
        let (every, begun) = (Duration::from_secs(2), Instant::now());
        let fed = tokio::spawn(async move {
            let fed = tell_time(&handle, Version::HTTP_2, every);
            handle.while_open(fed).await.is_none()
        });
        let (mut body, mut told) = (subscription.into_body(), String::new());
        for tick in 0..5 {
            // What waits together comes together.
            while told.matches("event: time\ndata: 20").count() <= tick as usize {
                let piece = body.next().await.unwrap().unwrap();
                told.push_str(str::from_utf8(&piece).unwrap());
            }
            assert_eq!(begun.elapsed(), every * tick);
        }
        assert!(
            told.contains("event: protocol\ndata: HTTP/2.0\n\n"),
            "{told}"
        );
        drop(body);
        advance(every).await;
        assert!(fed.await.unwrap());
    }
}
