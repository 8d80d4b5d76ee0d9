//! Clients that come back, and what they see.

use std::num::NonZeroUsize;

use sse_core::{Hub, HubBuilder, LastEventId, MemoryHistory, QueueLimits};

use super::{Reader, Seen, soon, subscribe, unread};

pub(crate) fn short_history(events: usize) -> HubBuilder {
    Hub::builder().history(MemoryHistory::last(events))
}

pub(crate) fn queue(events: usize) -> QueueLimits {
    QueueLimits {
        events: NonZeroUsize::new(events).unwrap(),
        ..QueueLimits::default()
    }
}

/// What a page sees, and what it would send as its last event id.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) seen: Vec<String>,
    pub(crate) last: Option<String>,
}

impl Page {
    pub(crate) fn take(&mut self, events: Vec<Seen>) {
        for event in events {
            self.last = event.id.clone().or(self.last.take());
            self.seen.push(event.to_string());
        }
    }

    /// Reads until it has caught up, or the stream has ended.
    pub(crate) async fn catch_up(&mut self, reader: &mut Reader) {
        let caught_up = |seen: &str| seen.starts_with("caught-up");
        while !self.seen.last().is_some_and(|seen| caught_up(seen)) {
            let Some(events) = soon(reader.next()).await else {
                return;
            };
            self.take(events);
        }
    }
}

pub(crate) fn last(id: &str) -> Option<LastEventId> {
    LastEventId::parse(id.as_bytes())
}

/// Comes back as `client`, having seen `id`; nothing is read yet.
pub(crate) async fn returning(hub: &Hub, client: &str, groups: &[&str], id: &str) -> Reader {
    unread(hub, subscribe(client, groups).last_event_id(last(id))).await
}

/// Comes back as `client`, having seen `id`; what it gets until it has caught up.
pub(crate) async fn resume(hub: &Hub, client: &str, groups: &[&str], id: &str) -> (Page, Reader) {
    let mut reader = returning(hub, client, groups, id).await;
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    (page, reader)
}

pub(crate) async fn seen_on_return(
    hub: &Hub,
    client: &str,
    groups: &[&str],
    id: &str,
) -> Vec<String> {
    resume(hub, client, groups, id).await.0.seen
}

/// The id of the last of what a fresh stream says: the delivered head.
pub(crate) async fn head(hub: &Hub) -> String {
    let mut reader = unread(hub, subscribe("nobody", &[])).await;
    reader.seen()[0].id.clone().expect("a position")
}

pub(crate) fn caught_up(replayed: u64, skipped: u64) -> String {
    format!(r#"caught-up {{"replayed":{replayed},"skipped":{skipped}}}"#)
}

pub(crate) fn gap(event: &str) -> serde_json::Value {
    serde_json::from_str(event.strip_prefix("gap ").expect("a gap")).unwrap()
}
