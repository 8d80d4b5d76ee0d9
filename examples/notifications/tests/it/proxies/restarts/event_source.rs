//! A client that comes back as a browser's `EventSource` does, and gives up as it does.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;

use crate::proxies::client::{Connection, Entrance};

/// When it comes back as long as it hasn't been told.
const RECONNECTION_TIME: Duration = Duration::from_millis(500);

/// Follows a stream, however often it ends.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    entrance: Entrance,
    path: String,
    ledger: Arc<Mutex<Ledger>>,
}

/// What a client has got.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) numbers: Vec<usize>,
    /// The events of each stream that it has had.
    streams: Vec<usize>,
}

impl Ledger {
    /// Whether a stream of its had nothing but when to come back.
    pub(super) fn came_in_vain(&self) -> bool {
        self.streams.contains(&0)
    }
}

impl Follower {
    pub(super) fn new(entrance: Entrance, client: String) -> Self {
        Self {
            entrance,
            path: format!("/api/v1/sse/stream?id={client}"),
            ledger: Arc::default(),
        }
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.ledger.lock().unwrap().numbers.last() == Some(&number)
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap().clone()
    }

    /// For ever.
    ///
    /// # Panics
    ///
    /// An `EventSource` would give up for good (WHATWG HTML, 9.2.3).
    pub(super) async fn follow(self) -> Infallible {
        let (mut last_event_id, mut retry) = (String::new(), RECONNECTION_TIME);
        loop {
            // An empty one is none.
            let headers = [("last-event-id", &*last_event_id)];
            let headers = &headers[usize::from(last_event_id.is_empty())..];
            if let Ok(mut connection) = Connection::open(&self.entrance).await
                && let Ok(mut stream) = connection.stream(&self.path, headers).await
            {
                assert!(stream.is_one(), "{}: gives up: {stream:?}", self.path);
                let mut events = 0;
                while let Some(event) = stream.next().await {
                    events += 1;
                    last_event_id = event.last_event_id;
                    if event.event == "message" {
                        let number = event.data.parse().unwrap();
                        self.ledger.lock().unwrap().numbers.push(number);
                    }
                }
                self.ledger.lock().unwrap().streams.push(events);
                retry = stream.retry().unwrap_or(retry);
            }
            sleep(retry).await;
        }
    }
}
