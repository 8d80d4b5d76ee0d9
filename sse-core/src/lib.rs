#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

mod budget;
mod clock;
mod connection;
mod event;
mod foreign;
mod frame;
mod fresh_state;
mod hand_over;
mod history;
mod hub;
mod last_event_id;
#[cfg(all(test, shuttle))]
mod models;
mod name;
mod notice;
mod position;
mod presence;
mod registry;
mod remote_addr;
mod router;
mod sink;
mod stream_request;
mod stream_response;
mod subscribe;
mod sync;
mod target;
mod wire;

/// The macro of the `async-trait` crate: implementing a trait of this one needs no other.
pub use async_trait::async_trait;
pub use clock::{Clock, ManualClock, Sleep, TokioClock};
pub use connection::{Connection, ConnectionId, ParseConnectionIdError};
pub use event::{Event, EventBuilder, EventError, IntoEvent};
pub use frame::{Draft, Frame};
pub use fresh_state::FreshState;
pub use history::{
    Bounds, GroupRule, History, HistoryError, HistoryLimits, Keep, Kept, Latest, MemoryHistory,
    Page, PageLimit, Viewer,
};
pub use hub::{
    Attached, BuildError, ClientNotice, ClientPresence, ConnectionHandle, Delivered, Delivery,
    Drain, Drained, Ended, Final, Hub, HubBuilder, HubConfig, Info, Limits, MembershipError,
    OutcomeError, OverClient, Overflow, PendingReceipt, PublishError, Published, Receipt, Refusal,
    RefusalReason, SubscribeError, Subscription,
};
pub use last_event_id::LastEventId;
pub use name::{
    ClientId, ConflationKey, EventId, EventName, GroupName, IdempotencyKey, MAX_NAME_BYTES,
    NameError,
};
pub use notice::{GapCause, Heartbeat, HeartbeatKind, NoticeConfig, Opening, Resume};
pub use position::{ParsePositionError, Position};
pub use presence::{Presence, PresenceNotice};
pub use registry::{MemoryRegistry, Registry, RegistryError, RegistryStats};
pub use remote_addr::{ForwardedBy, TrustedProxies};
pub use router::{
    Accepted, Batch, Deliver, KeyMemory, LocalRouter, Lost, Pending, Publication, RouteError,
    Routed, Router, Ticket,
};
pub use sink::{
    CloseReason, EventBody, EventSink, Offer, Progress, QueueLimits, QueueSink, SinkContext,
    WhenFull,
};
pub use stream_request::{ClientRequest, StreamReply, StreamRequest};
pub use stream_response::{StreamBody, StreamError};
pub use subscribe::Subscribe;
pub use target::{Except, Predicate, Scope, SendMode, Target};
