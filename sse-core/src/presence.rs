use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::{ClientId, CloseReason, Connection, ConnectionId, GroupName, sync::RwLock};

/// Who comes and goes.
///
/// A connection is announced when its body is first polled, so that a response that nobody sends
/// is no presence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceNotice {
    /// A connection is there.
    Connected {
        /// Which one.
        connection: ConnectionId,
        /// Whose.
        client: ClientId,
        /// The groups that it is in by now.
        groups: Vec<GroupName>,
    },
    /// A connection that was announced has ended.
    Disconnected {
        /// Which one.
        connection: ConnectionId,
        /// Whose.
        client: ClientId,
        /// Why.
        reason: CloseReason,
    },
    /// A connection that was announced joined a group.
    Joined {
        /// Which one.
        connection: ConnectionId,
        /// Whose.
        client: ClientId,
        /// Which group.
        group: GroupName,
    },
    /// A connection that was announced left a group; not told when it ends.
    Left {
        /// Which one.
        connection: ConnectionId,
        /// Whose.
        client: ClientId,
        /// Which group.
        group: GroupName,
    },
    /// The reader fell behind, and this many notices were dropped before the next.
    Missed(u64),
}

/// A stream of [`PresenceNotice`]s, bounded: a reader that falls behind is told how many it missed.
///
/// It ends when the hub is gone.
#[derive(Debug)]
pub struct Presence(BroadcastStream<PresenceNotice>);

impl Presence {
    /// The next notice; `None` once the hub is gone. Cancel safe: nothing is lost.
    pub async fn next(&mut self) -> Option<PresenceNotice> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Presence {
    type Item = PresenceNotice;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PresenceNotice>> {
        Pin::new(&mut self.0).poll_next(cx).map(|next| {
            next.map(|notice| {
                notice.unwrap_or_else(|BroadcastStreamRecvError::Lagged(missed)| {
                    PresenceNotice::Missed(missed)
                })
            })
        })
    }
}

/// The hub's end: tells in the order in which things happen to a connection.
#[derive(Debug)]
pub(crate) struct PresenceTeller(RwLock<Option<broadcast::Sender<PresenceNotice>>>);

impl PresenceTeller {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(RwLock::new(Some(broadcast::Sender::new(capacity))))
    }

    pub(crate) fn listen(&self) -> Presence {
        let receiver = match &*self.0.read() {
            Some(sender) => sender.subscribe(),
            None => broadcast::Sender::new(1).subscribe(),
        };
        Presence(BroadcastStream::new(receiver))
    }

    /// Ends what listens, once it has read what was told.
    pub(crate) fn close(&self) {
        self.0.write().take();
    }

    pub(crate) fn connected(&self, connection: &Connection) {
        let mut membership = connection.membership.lock();
        if membership.ended || membership.present {
            return;
        }
        membership.present = true;
        self.tell(|| PresenceNotice::Connected {
            connection: connection.id(),
            client: connection.client().clone(),
            groups: membership.groups.to_vec(),
        });
    }

    /// `true` if it wasn't in the group, and hasn't ended.
    pub(crate) fn joined(&self, connection: &Connection, group: GroupName) -> bool {
        let mut membership = connection.membership.lock();
        if membership.released || membership.groups.contains(&group) {
            return false;
        }
        membership.groups.push(group.clone());
        if membership.present {
            self.tell(|| PresenceNotice::Joined {
                connection: connection.id(),
                client: connection.client().clone(),
                group,
            });
        }
        true
    }

    /// `true` if it was in the group, and hasn't ended.
    pub(crate) fn left(&self, connection: &Connection, group: GroupName) -> bool {
        let mut membership = connection.membership.lock();
        let Some(at) = membership.groups.iter().position(|other| *other == group) else {
            return false;
        };
        membership.groups.swap_remove(at);
        if membership.present {
            self.tell(|| PresenceNotice::Left {
                connection: connection.id(),
                client: connection.client().clone(),
                group,
            });
        }
        !membership.released
    }

    /// Also wakes those who wait for the end.
    pub(crate) fn disconnected(&self, connection: &Connection, reason: CloseReason) {
        let mut membership = connection.membership.lock();
        membership.ended = true;
        if std::mem::take(&mut membership.present) {
            self.tell(|| PresenceNotice::Disconnected {
                connection: connection.id(),
                client: connection.client().clone(),
                reason,
            });
        }
        let end = membership.end.take();
        drop(membership);
        if let Some(end) = end {
            end.notify_waiters();
        }
    }

    fn tell(&self, notice: impl FnOnce() -> PresenceNotice) {
        if let Some(sender) = &*self.0.read()
            && sender.receiver_count() > 0
        {
            // The last listener may go away meanwhile.
            let _ = sender.send(notice());
        }
    }
}
