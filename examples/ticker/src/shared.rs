//! One stream for all: a publisher, and any number of subscribers.

use std::time::Duration;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use example_support::error;
use serde::Deserialize;
use sse_axum::Sse;
use sse_core::Hub;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    app::{App, answer},
    own::time,
};

/// The stream's name, and that of the group of those who read it.
const TIME: &str = "time";

/// Whoever reads a shared stream.
const CLIENT: &str = "subscriber";

#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    stream: String,
}

/// Subscribes to the stream that `?stream=` names.
pub(crate) async fn stream(
    State(app): State<App>,
    which: Result<Query<Which>, QueryRejection>,
    sse: Sse,
) -> Response {
    let refused = match which {
        Ok(Query(which)) if which.stream == TIME => {
            return sse
                .client(CLIENT)
                .group(TIME)
                .open(&app.hub)
                .await
                .into_response();
        }
        Ok(Query(_)) => error(StatusCode::NOT_FOUND, "there is no such stream"),
        Err(rejection) => error(StatusCode::BAD_REQUEST, rejection.body_text()),
    };
    answer(refused).into_response()
}

/// Publishes the time, so often, until the hub is closed.
pub(crate) async fn tell_time(hub: Hub, every: Duration) {
    let mut interval = interval(every);
    // Who was late is told the time once.
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        if let Err(error) = hub.send_group(TIME, time()).await {
            tracing::info!(%error, "the time isn't told any more");
            break;
        }
    }
}
