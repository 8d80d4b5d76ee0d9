use std::{fmt, future::Future, net::IpAddr, str::FromStr, sync::Arc};

use http::Extensions;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::{
    ClientId, EventSink, GroupName, QueueSink, Subscribe,
    hand_over::{HandOver, Place},
    hub::Watch,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
};

/// Names one connection: 128 random bits, 32 hexadecimal digits as text.
///
/// Nobody guesses it, so that a page may show its own and use it to be left out of what it sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId([u8; 16]);

impl ConnectionId {
    /// A new one, from the operating system's random numbers.
    ///
    /// # Errors
    ///
    /// The operating system has none to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// A number that spreads connections evenly.
    pub(crate) const fn phase(self) -> u8 {
        self.0[0]
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text isn't a connection id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a connection id: 32 lower-case hexadecimal digits")]
pub struct ParseConnectionIdError;

impl FromStr for ConnectionId {
    type Err = ParseConnectionIdError;

    fn from_str(text: &str) -> Result<Self, ParseConnectionIdError> {
        let number = u128::from_str_radix(text, 16).ok();
        let id = number.map(|number| Self(number.to_be_bytes()));
        id.filter(|id| id.to_string() == text)
            .ok_or(ParseConnectionIdError)
    }
}

impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One open response: who it is, what it is part of, and the sink that its events go to.
///
/// The hub makes one for every subscription and gives it to the [`Registry`](crate::Registry).
pub struct Connection {
    id: ConnectionId,
    client: ClientId,
    attributes: Extensions,
    remote_addr: Option<IpAddr>,
    sink: Sink,
    pub(crate) membership: Mutex<Membership>,
    stage: AtomicU8,
    /// Where it stands, while that is off the fast path: see [`Stage`].
    place: Mutex<Option<Box<Place>>>,
    polled: AtomicBool,
    let_go: AtomicU8,
    /// When a frame was last offered, in milliseconds of the hub's time.
    touched: AtomicU64,
    pub(crate) seat: AtomicU32,
    /// The hub's task has it while it looks at the connection.
    pub(crate) watch: Mutex<Watch>,
}

/// Where a connection's events go.
enum Sink {
    /// The library's own queue, which the hub's body reads: here, so that a delivery finds it where
    /// the connection is.
    Queue(QueueSink),
    Foreign(Arc<dyn EventSink>),
}

/// What presence tells of a connection, behind one lock so that it is told in order.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    pub(crate) groups: SmallVec<[GroupName; 1]>,
    /// Whether the connection was announced: from the first poll of its body to its end.
    pub(crate) present: bool,
    pub(crate) ended: bool,
    /// Whether its places in groups were given back.
    pub(crate) released: bool,
    /// Wakes those who wait for the end, if there are any.
    pub(crate) end: Option<Arc<Notify>>,
}

/// Whether a connection's transport has let go of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum LetGo {
    Not,
    /// It had taken all that there was, the end included.
    Clean,
    /// Something was left.
    Unread,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// It is in the registry, and is offered nothing.
    Dormant,
    /// What is delivered is offered to it.
    Live,
    /// The history is read for it; its place says how far.
    CatchingUp,
    /// It is live from a position on that its place names.
    Ahead,
    /// It has ended.
    Ended,
}

impl From<u8> for Stage {
    fn from(stage: u8) -> Self {
        match stage {
            0 => Self::Dormant,
            1 => Self::Live,
            2 => Self::CatchingUp,
            3 => Self::Ahead,
            _ => Self::Ended,
        }
    }
}

impl Stage {
    /// Whether it was activated and hasn't ended.
    pub(crate) const fn is_active(self) -> bool {
        !matches!(self, Self::Dormant | Self::Ended)
    }

    const fn of(place: Option<&Place>) -> Self {
        match place {
            None => Self::Live,
            Some(Place::CatchingUp(_)) => Self::CatchingUp,
            Some(Place::Ahead(_)) => Self::Ahead,
        }
    }
}

impl Connection {
    /// A dormant connection for `subscribe`, whose events go to `sink`.
    ///
    /// The hub does this itself; it is public for the tests of a registry.
    pub fn new(id: ConnectionId, subscribe: Subscribe, sink: Arc<dyn EventSink>) -> Self {
        Self::on(id, subscribe, Sink::Foreign(sink))
    }

    /// As [`new`](Self::new), with a queue of the hub's own.
    pub(crate) fn with_queue(id: ConnectionId, subscribe: Subscribe, queue: QueueSink) -> Self {
        Self::on(id, subscribe, Sink::Queue(queue))
    }

    fn on(id: ConnectionId, subscribe: Subscribe, sink: Sink) -> Self {
        let Subscribe {
            client,
            groups,
            attributes,
            remote_addr,
            ..
        } = subscribe;
        Self {
            id,
            client,
            attributes,
            remote_addr,
            sink,
            membership: Mutex::new(Membership {
                groups,
                ..Membership::default()
            }),
            stage: AtomicU8::new(Stage::Dormant as u8),
            place: Mutex::new(None),
            polled: AtomicBool::new(false),
            let_go: AtomicU8::new(LetGo::Not as u8),
            touched: AtomicU64::new(0),
            seat: AtomicU32::new(u32::MAX),
            watch: Mutex::default(),
        }
    }

    /// Its own name.
    #[must_use]
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// As a key.
    pub(crate) const fn id_ref(&self) -> &ConnectionId {
        &self.id
    }

    /// Whose it is.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// The groups that it is in: those of the subscription, and what it joined and left since.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        self.membership.lock().groups.to_vec()
    }

    /// What the application attached to the subscription, by type.
    #[must_use]
    pub const fn attributes(&self) -> &Extensions {
        &self.attributes
    }

    /// Where its client is, as far as that is known: behind the proxies that the hub trusts.
    #[must_use]
    pub const fn remote_addr(&self) -> Option<IpAddr> {
        self.remote_addr
    }

    /// Where its events go.
    #[must_use]
    pub fn sink(&self) -> &dyn EventSink {
        match &self.sink {
            Sink::Queue(queue) => queue,
            Sink::Foreign(sink) => &**sink,
        }
    }

    /// The queue, where it is the hub's own.
    pub(crate) fn queue(&self) -> Option<&QueueSink> {
        match &self.sink {
            Sink::Queue(queue) => Some(queue),
            Sink::Foreign(_) => None,
        }
    }

    /// Whether it is live: it was activated, has caught up, and hasn't ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.stage(), Stage::Live | Stage::Ahead)
    }

    /// Reads what a delivery reads first, so that it is at hand.
    pub(crate) fn look(&self) {
        std::hint::black_box((self.stage(), self.queue().map(QueueSink::look)));
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.load(Ordering::Acquire).into()
    }

    /// Waits until it has ended, without keeping it. Cancel safe.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut membership = self.membership.lock();
        let end = (!membership.ended).then(|| {
            let end = membership.end.get_or_insert_with(Arc::<Notify>::default);
            Arc::clone(end).notified_owned()
        });
        drop(membership);
        async {
            if let Some(end) = end {
                end.await;
            }
        }
    }

    /// From one stage to that of `place`; `false` if it isn't there, because it has ended. Inside
    /// the ordered section.
    pub(crate) fn enter(&self, from: Stage, place: Option<Box<Place>>) -> bool {
        // Dropped outside of the lock.
        let left;
        let entered = {
            let mut own = self.place.lock();
            let to = Stage::of(place.as_deref());
            let entered = self
                .stage
                .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
            left = if entered {
                std::mem::replace(&mut *own, place)
            } else {
                place
            };
            entered
        };
        drop(left);
        entered
    }

    /// What its place says; none where it is on the fast path, or has ended. `read` calls nothing
    /// that locks.
    pub(crate) fn at_place<T>(&self, read: impl FnOnce(&mut Place) -> T) -> Option<T> {
        self.place.lock().as_deref_mut().map(read)
    }

    /// What its catch-up says; none where it doesn't catch up (any more).
    pub(crate) fn catching_up<T>(&self, read: impl FnOnce(&mut HandOver) -> T) -> Option<T> {
        self.at_place(|place| match place {
            Place::CatchingUp(hand_over) => Some(read(hand_over)),
            Place::Ahead(_) => None,
        })
        .flatten()
    }

    /// Ends it; for whoever did, how far it had come.
    pub(crate) fn end(&self) -> Option<Stage> {
        let mut place = self.place.lock();
        let before = Stage::from(self.stage.swap(Stage::Ended as u8, Ordering::AcqRel));
        let left = place.take();
        drop(place);
        drop(left);
        Some(before).filter(|before| *before != Stage::Ended)
    }

    /// The groups whose places are given back now that it has ended.
    pub(crate) fn release_groups(&self) -> SmallVec<[GroupName; 1]> {
        let mut membership = self.membership.lock();
        membership.released = true;
        membership.groups.clone()
    }

    pub(crate) fn touch(&self, now_ms: u64) {
        self.touched.store(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }

    /// Notes the body's first poll; `true` the first time.
    pub(crate) fn note_polled(&self) -> bool {
        !self.polled.swap(true, Ordering::Relaxed)
    }

    /// Notes that its transport has let go of it.
    pub(crate) fn note_let_go(&self, how: LetGo) {
        self.let_go.store(how as u8, Ordering::Release);
    }

    pub(crate) fn let_go(&self) -> LetGo {
        match self.let_go.load(Ordering::Acquire) {
            0 => LetGo::Not,
            1 => LetGo::Clean,
            _ => LetGo::Unread,
        }
    }

    pub(crate) fn is_polled(&self) -> bool {
        self.polled.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("client", &self.client)
            .field("groups", &self.groups())
            .field("live", &self.is_live())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back() {
        let id = ConnectionId::random().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 32);
        assert!("12".parse::<ConnectionId>().is_err());
        assert!("+".repeat(32).parse::<ConnectionId>().is_err());
        assert_ne!(id, ConnectionId::random().unwrap());
    }
}
