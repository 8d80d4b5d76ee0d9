use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    future::pending,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{Hub, core::Core};
use crate::{ClientId, Clock, ConnectionId, Presence, PresenceNotice, Sleep};

/// That a client has come or gone, whatever number of connections it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientNotice {
    /// It has a connection, and had none.
    Online(ClientId),
    /// It has had no connection for as long as the grace is.
    Offline(ClientId),
}

/// Which clients are there: [`Presence`] summed up by client, with a grace in which a page may be
/// reloaded, or a connection made anew, without anybody being told.
///
/// A reader that falls behind the hub's notices looks who is there: what it says then is so, though who came
/// and went meanwhile isn't told of.
pub struct ClientPresence {
    presence: Presence,
    core: Weak<Core>,
    clock: Arc<dyn Clock>,
    grace: Duration,
    clients: HashMap<ClientId, Client>,
    /// Who will have had no connection for long enough, and when: in that order.
    leaving: VecDeque<(Instant, ClientId)>,
    sleep: Option<Sleep>,
    /// What is still to be told.
    notices: VecDeque<ClientNotice>,
}

/// A client that counts as online.
#[derive(Debug, Default)]
struct Client {
    connections: HashSet<ConnectionId>,
    /// When it is offline, unless it has a connection by then.
    offline_at: Option<Instant>,
}

impl Hub {
    /// Which clients come and go from now on; one that has been without a connection for less than
    /// `grace` hasn't gone.
    #[must_use]
    pub fn client_presence(&self, grace: Duration) -> ClientPresence {
        let core = &self.shared.core;
        let mut presence = ClientPresence {
            // Before the look: what happens meanwhile is in one of both.
            presence: self.presence(),
            core: Arc::downgrade(core),
            clock: Arc::clone(&core.clock),
            grace,
            clients: HashMap::new(),
            leaving: VecDeque::new(),
            sleep: None,
            notices: VecDeque::new(),
        };
        presence.look();
        presence.notices.clear();
        presence
    }
}

impl ClientPresence {
    /// The next notice; `None` once the hub is gone. Cancel safe: nothing is lost.
    pub async fn next(&mut self) -> Option<ClientNotice> {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return Some(notice);
            }
            self.sleep_until_one_has_left();
            let sleep = &mut self.sleep;
            let due = async {
                match sleep {
                    Some(sleep) => sleep.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                // First: whoever has come back hasn't left, however late that is read.
                biased;
                notice = self.presence.next() => self.note(notice?),
                () = due => {
                    self.sleep = None;
                    self.expire();
                }
            }
        }
    }

    /// Whether a client is there, as far as has been told.
    #[must_use]
    pub fn is_online(&self, client: &ClientId) -> bool {
        self.clients.contains_key(client)
    }

    /// The clients that are there, in no order.
    pub fn online(&self) -> impl Iterator<Item = &ClientId> {
        self.clients.keys()
    }

    fn note(&mut self, notice: PresenceNotice) {
        match notice {
            PresenceNotice::Connected {
                connection, client, ..
            } => self.connected(connection, client),
            PresenceNotice::Disconnected {
                connection, client, ..
            } => self.disconnected(connection, &client),
            PresenceNotice::Missed(_) => self.look(),
            PresenceNotice::Joined { .. } | PresenceNotice::Left { .. } => {}
        }
    }

    fn connected(&mut self, connection: ConnectionId, client: ClientId) {
        if !self.clients.contains_key(&client) {
            self.notices.push_back(ClientNotice::Online(client.clone()));
        }
        let client = self.clients.entry(client).or_default();
        client.connections.insert(connection);
        client.offline_at = None;
    }

    fn disconnected(&mut self, connection: ConnectionId, client: &ClientId) {
        // None: it never is.
        let offline_at = self.clock.now().checked_add(self.grace);
        if let Some(state) = self.clients.get_mut(client)
            && state.connections.remove(&connection)
            && state.connections.is_empty()
        {
            state.offline_at = offline_at;
            self.leaving
                .extend(offline_at.map(|at| (at, client.clone())));
        }
    }

    fn sleep_until_one_has_left(&mut self) {
        while let Some((at, client)) = self.leaving.front() {
            if self.is_leaving(client, *at) {
                let (clock, at) = (&self.clock, *at);
                self.sleep.get_or_insert_with(|| clock.sleep_until(at));
                return;
            }
            // It has come back.
            self.leaving.pop_front();
            self.sleep = None;
        }
    }

    fn is_leaving(&self, client: &ClientId, at: Instant) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.offline_at == Some(at))
    }

    /// Tells of those who have been away for long enough.
    fn expire(&mut self) {
        let now = self.clock.now();
        while let Some((at, client)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            if self.is_leaving(&client, at) {
                self.clients.remove(&client);
                self.notices.push_back(ClientNotice::Offline(client));
            }
        }
    }

    /// Sees who is there, and what has changed by that.
    fn look(&mut self) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        let mut there = HashMap::new();
        for connection in core.roster.connections() {
            let is_present = connection.membership.lock().present;
            if is_present {
                there.insert(connection.id(), connection.client().clone());
            }
        }
        let gone: Vec<_> = self
            .clients
            .iter()
            .flat_map(|(client, state)| state.connections.iter().map(move |id| (*id, client)))
            .filter(|(id, _)| !there.contains_key(id))
            .map(|(id, client)| (id, client.clone()))
            .collect();
        for (id, client) in gone {
            self.disconnected(id, &client);
        }
        for (id, client) in there {
            self.connected(id, client);
        }
    }
}

impl fmt::Debug for ClientPresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientPresence")
            .field("grace", &self.grace)
            .field("online", &self.clients.len())
            .finish_non_exhaustive()
    }
}
