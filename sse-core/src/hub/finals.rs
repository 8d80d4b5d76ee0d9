use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Hub,
    core::{AGES, Core},
    wakes::Wakes,
};
use crate::{ClientId, CloseReason, Connection, NameError, Position, Scope, Target, sync::Mutex};

/// How many clients a hub remembers that were ended for good. Beyond that those are forgotten first
/// whose time is over first.
const REMEMBERED: usize = 100_000;

/// Who subscribes with a group is in it at any position.
const ANY: Position = Position::new(0, 0);

/// How clients are ended for good: see [`Hub::disconnect_for_good`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "give it to Hub::disconnect_for_good"]
pub struct Final {
    lasting: Duration,
    reason: String,
}

impl Final {
    /// For so long; the reason is `disconnected`.
    pub fn lasting(time: Duration) -> Self {
        Self {
            lasting: time,
            reason: CloseReason::Disconnected.as_str().to_owned(),
        }
    }

    /// What the page is told as the reason.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// Who was ended for good, and until when.
#[derive(Debug, Default)]
pub(super) struct Finals(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    until: HashMap<ClientId, Instant>,
    by_time: BTreeSet<(Instant, ClientId)>,
}

impl Finals {
    fn end(&self, client: &ClientId, until: Instant, now: Instant) {
        let mut remembered = self.0.lock();
        remembered.forget(client);
        remembered.until.insert(client.clone(), until);
        remembered.by_time.insert((until, client.clone()));
        while let Some((until, first)) = remembered.by_time.first().cloned()
            && (until <= now || remembered.until.len() > REMEMBERED)
        {
            remembered.forget(&first);
        }
    }

    /// Whether this client isn't to come back.
    pub(super) fn has(&self, client: &ClientId, now: Instant) -> bool {
        let mut remembered = self.0.lock();
        match remembered.until.get(client) {
            None => false,
            Some(until) if *until > now => true,
            Some(_) => {
                remembered.forget(client);
                false
            }
        }
    }

    fn allow(&self, client: &ClientId, now: Instant) -> bool {
        let until = self.0.lock().forget(client);
        until.is_some_and(|until| until > now)
    }
}

impl Remembered {
    fn forget(&mut self, client: &ClientId) -> Option<Instant> {
        let until = self.until.remove(client)?;
        self.by_time.remove(&(until, client.clone()));
        Some(until)
    }
}

impl Hub {
    /// Ends every connection on this node that `target` means, and every client that has one of them
    /// or that `target` names: what waits is delivered, then a `closed` with the reason, and when such
    /// a client comes back it is answered with 204, at which an EventSource gives up (WHATWG HTML,
    /// 9.2.3), until the time is over or it is [allowed](Self::allow) again. How many connections
    /// those were.
    ///
    /// This node remembers up to 100,000 such clients.
    pub fn disconnect_for_good(&self, target: &Target, how: Final) -> usize {
        self.core().disconnect_for_good(target, &how)
    }

    /// Lets a client come back that was ended for good; `false` if it wasn't.
    ///
    /// # Errors
    ///
    /// `client` isn't a valid name.
    pub fn allow(
        &self,
        client: impl TryInto<ClientId, Error: Into<NameError>>,
    ) -> Result<bool, NameError> {
        let client = client.try_into().map_err(Into::into)?;
        let core = self.core();
        Ok(core.finals.allow(&client, core.clock.now()))
    }
}

impl Core {
    fn disconnect_for_good(self: &Arc<Self>, target: &Target, how: &Final) -> usize {
        let now = self.clock.now();
        let until = now + how.lasting.min(AGES);
        let closed = self.sinks.notices().closed(&how.reason);
        let mut wakes = Wakes::new(self);
        let mut count = 0;
        // Who isn't active yet doesn't slip through: it asks inside the section.
        let section = self.section.lock();
        match target.scope() {
            Scope::Client(client) => self.finals.end(client, until, now),
            Scope::Clients(clients) => {
                for client in &**clients {
                    self.finals.end(client, until, now);
                }
            }
            _ => {
                for connection in self.roster.dormant() {
                    if self.will_mean(target, &connection) {
                        self.finals.end(connection.client(), until, now);
                        count += usize::from(self.end(&connection, CloseReason::Final, &mut wakes));
                    }
                }
            }
        }
        self.visit_active(target, &mut |connection, _| {
            self.finals.end(connection.client(), until, now);
            self.notify(connection, &closed, &mut wakes);
            count += usize::from(self.end(connection, CloseReason::Final, &mut wakes));
        });
        drop(section);
        count
    }

    /// Whether `target` means a connection that the registry is still taking in, or has let go of.
    pub(super) fn will_mean(&self, target: &Target, connection: &Connection) -> bool {
        let viewer = self.viewer(connection);
        let in_scope = match target.scope() {
            Scope::Connection(id) => *id == connection.id(),
            Scope::Matching(_) => true,
            _ => viewer.sees(target, ANY),
        };
        let mut within = target.group_within().into_iter();
        in_scope && within.all(|group| viewer.is_in(group, ANY)) && target.admits(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_whose_time_is_over_are_forgotten_first() {
        let (finals, now) = (Finals::default(), Instant::now());
        let client = |number: usize| ClientId::new(number.to_string()).unwrap();
        for number in 0..=REMEMBERED {
            let until = now + Duration::from_secs(1 + number as u64);
            finals.end(&client(number), until, now);
        }
        assert!(!finals.has(&client(0), now));
        assert!(finals.has(&client(1), now));
        let later = now + Duration::from_secs(3);
        assert!(!finals.has(&client(1), later));
        assert!(finals.allow(&client(9), later) && !finals.allow(&client(9), later));
        finals.end(&client(9), later + Duration::from_secs(1), later);
        let remembered = finals.0.lock();
        assert_eq!(remembered.until.len(), remembered.by_time.len());
    }
}
