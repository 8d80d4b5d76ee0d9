//! A registry of one's own: groups that match patterns.
//!
//! `cargo test -p wildcard-registry` holds it against the contract and shows it at work.
//!
//! A connection that is in group `orders.*` also gets what is sent to `orders.eu` and `orders.us`.
//! Give the registry to a hub, and everything else stays as it is:
//!
//! ```
//! use sse_core::{Event, GroupName, Hub, Subscribe};
//! use wildcard_registry::WildcardRegistry;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let hub = Hub::builder().registry(WildcardRegistry::new()).build()?;
//! let ada = Subscribe::client_id("ada")?.group(GroupName::new("orders.*")?);
//! let stream = hub.subscribe(ada).await?;
//!
//! let sent = hub.send_group("orders.eu", Event::text("shipped")).await?;
//! assert_eq!(sent.outcome().await?.matched, 1);
//! # drop(stream);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

#![forbid(unsafe_code)]

mod pattern;
mod registry;

pub use registry::WildcardRegistry;
