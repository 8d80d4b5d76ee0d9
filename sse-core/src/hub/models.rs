//! A hub that publishes, takes connections in and lets them go, all at once.

mod ending;
mod order;
mod outcome;
mod resume;

use std::{
    future::{pending, poll_fn},
    pin::Pin,
    sync::Arc,
    time::{Instant, SystemTime},
};

use futures_core::Stream;

use super::{Hub, HubBuilder, Subscription};
use crate::{
    Clock, Event, EventBody, GroupName, MemoryRegistry, Registry, RegistryStats, Sleep, Subscribe,
    models::{texts, until, wait},
};

/// Time that stands still.
#[derive(Debug)]
struct Still(Instant);

impl Clock for Still {
    fn now(&self) -> Instant {
        self.0
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(pending())
    }
}

/// A hub, and its registry, which is to be empty in the end.
fn hub(builder: HubBuilder) -> (Hub, Arc<MemoryRegistry>) {
    let registry = Arc::new(MemoryRegistry::new());
    let hub = builder.registry(Arc::clone(&registry)).build().unwrap();
    (hub, registry)
}

fn still() -> HubBuilder {
    Hub::builder().clock(Still(Instant::now()))
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn subscribe(hub: &Hub, client: &str) -> Subscription {
    let subscribe = Subscribe::client_id(client).unwrap().group(group("all"));
    wait(hub.subscribe(subscribe)).unwrap()
}

fn text(text: &str) -> Event {
    Event::text(text).build().unwrap()
}

/// The events of the next piece; none at the end.
async fn next(body: &mut EventBody) -> Option<Vec<String>> {
    let piece = poll_fn(|cx| Stream::poll_next(Pin::new(&mut *body), cx)).await;
    piece.map(|Ok(bytes)| texts(&bytes))
}

/// Reads until the end.
async fn read(mut body: EventBody) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(mut texts) = next(&mut body).await {
        all.append(&mut texts);
    }
    all
}

/// The hub's task takes out who has ended.
fn empties(registry: &MemoryRegistry) {
    until(|| registry.stats() == RegistryStats::default());
}
