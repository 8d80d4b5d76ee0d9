//! Important events, which are kept until they are acknowledged.

use std::{error::Error, sync::Arc, time::Duration};

use sse_core::{ClientId, Event, FreshState, Position};
use tokio::time::sleep;

use crate::store::{Mail, MailId, Store, StoreError};

/// How often a store that failed is asked again, and after which pause.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_secs(1);

/// What is kept for users until they acknowledge it.
///
/// An event is kept before it is published. Every stream begins with what its user hasn't acknowledged,
/// before anything that carries a position. So whoever has a last event id has been given every event that
/// was kept for him up to there: that is what an acknowledgement by a last event id means.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    store: Arc<dyn Store>,
    /// How large the data of an event may be.
    largest: usize,
}

/// What an acknowledgement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) acknowledged: usize,
    /// How many wait yet.
    pub(crate) left: usize,
}

impl Mailbox {
    pub(crate) fn new(store: Arc<dyn Store>, largest: usize) -> Self {
        Self { store, largest }
    }

    /// What a stream begins with: what its user hasn't acknowledged.
    pub(crate) async fn state(
        self,
        fresh: FreshState,
    ) -> Result<Vec<Event>, Box<dyn Error + Send + Sync>> {
        let mail = self.store.mail(fresh.connection.client()).await?;
        Ok(mail
            .into_iter()
            .filter_map(|mail| self.event(mail))
            .collect())
    }

    /// What can be sent of it: one that can't, as settings are now, is no reason to have no stream.
    fn event(&self, mail: Mail) -> Option<Event> {
        let id = mail.id;
        let is_too_large = mail.data.len() > self.largest;
        let event = Event::text(mail.data).event(mail.event).build();
        let event = event.ok().filter(|_| !is_too_large);
        if event.is_none() {
            tracing::error!(%id, "what is kept can't be sent");
        }
        event
    }

    /// Keeps an event that is to be published in this epoch.
    pub(crate) async fn keep(
        &self,
        users: &[ClientId],
        event: &str,
        data: &str,
        epoch: u64,
    ) -> Result<Mail, StoreError> {
        let mail = Mail::unplaced(event.to_owned(), data.to_owned(), epoch);
        match self.store.keep(users, &mail).await {
            Ok(()) => Ok(mail),
            Err(error @ (StoreError::Full(_) | StoreError::Superseded)) => Err(error),
            // It may have been kept all the same.
            Err(error) => {
                self.insist(users, Chore::Discard(mail.id));
                Err(error)
            }
        }
    }

    /// Notes where it was published. Until then nobody can acknowledge it: it is tried for a while.
    pub(crate) async fn place(&self, users: &[ClientId], mut mail: Mail, position: Position) {
        mail.position = position;
        self.see_to(users, Chore::Place(mail)).await;
    }

    /// Keeps an event no more that wasn't published.
    pub(crate) async fn withdraw(&self, users: &[ClientId], mail: &Mail) {
        self.see_to(users, Chore::Discard(mail.id)).await;
    }

    async fn see_to(&self, users: &[ClientId], chore: Chore) {
        if chore.ask(&*self.store, users).await.is_err() {
            self.insist(users, chore);
        }
    }

    /// Asks a store again that failed, whatever becomes of the caller.
    fn insist(&self, users: &[ClientId], chore: Chore) {
        let (store, users) = (Arc::clone(&self.store), users.to_vec());
        tokio::spawn(async move {
            for _ in 0..TRIES {
                sleep(PAUSE).await;
                if chore.ask(&*store, &users).await.is_ok() {
                    return;
                }
            }
            tracing::warn!("an event will be sent again until it is too old");
        });
    }

    /// Acknowledges what was kept for a user up to `position`, in the epoch of now or before.
    pub(crate) async fn acknowledge(
        &self,
        user: &ClientId,
        position: Position,
        epoch: u64,
    ) -> Result<Acknowledged, StoreError> {
        let mail = self.store.mail(user).await?;
        let was_given = |mail: &&Mail| match mail.position.partial_cmp(&position) {
            Some(order) => order.is_le(),
            // Kept before this epoch began, in which every stream has begun with it.
            None => position.epoch() == epoch,
        };
        let given: Vec<_> = mail.iter().filter(was_given).map(|mail| mail.id).collect();
        if !given.is_empty() {
            self.store
                .discard(std::slice::from_ref(user), &given)
                .await?;
        }
        Ok(Acknowledged {
            acknowledged: given.len(),
            left: mail.len() - given.len(),
        })
    }
}

/// What a store is to do in the end.
#[derive(Debug)]
enum Chore {
    Place(Mail),
    Discard(MailId),
}

impl Chore {
    async fn ask(&self, store: &dyn Store, users: &[ClientId]) -> Result<(), StoreError> {
        match self {
            Self::Place(mail) => store.place(users, mail).await,
            Self::Discard(id) => store.discard(users, &[*id]).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{settings::ImportantSettings, store::MemoryStore};

    const EPOCH: u64 = 7;

    fn ada() -> ClientId {
        ClientId::new("ada").unwrap()
    }

    fn mailbox(most: usize) -> Mailbox {
        let limits = ImportantSettings {
            most,
            ..ImportantSettings::default()
        };
        let store = MemoryStore::new(limits, mpsc::unbounded_channel().0);
        Mailbox::new(Arc::new(store), limits.largest)
    }

    async fn keep(mailbox: &Mailbox, data: &str, sequence: u64) {
        let mail = mailbox.keep(&[ada()], "note", data, EPOCH).await.unwrap();
        mailbox
            .place(&[ada()], mail, Position::new(EPOCH, sequence))
            .await;
    }

    async fn waiting(mailbox: &Mailbox) -> Vec<String> {
        let mail = mailbox.store.mail(&ada()).await.unwrap();
        mail.into_iter().map(|mail| mail.data).collect()
    }

    #[tokio::test]
    async fn what_was_given_is_acknowledged_and_no_more() {
        let mailbox = mailbox(9);
        for sequence in [3, 5, 8] {
            keep(&mailbox, &sequence.to_string(), sequence).await;
        }
        mailbox
            .keep(&[ada()], "note", "unplaced", EPOCH)
            .await
            .unwrap();
        for (sequence, acknowledged, left) in [(2, 0, 4), (5, 2, 2), (5, 0, 2), (100, 1, 1)] {
            let position = Position::new(EPOCH, sequence);
            let done = mailbox.acknowledge(&ada(), position, EPOCH).await.unwrap();
            assert_eq!(done, Acknowledged { acknowledged, left });
        }
        assert_eq!(waiting(&mailbox).await, ["unplaced"]);
    }

    #[tokio::test]
    async fn what_was_kept_before_a_restart_is_acknowledged_by_what_came_after() {
        let mailbox = mailbox(9);
        keep(&mailbox, "a", 3).await;
        mailbox
            .keep(&[ada()], "note", "unplaced", EPOCH)
            .await
            .unwrap();
        let (now, acknowledge) = (EPOCH + 1, async |epoch, now| {
            let position = Position::new(epoch, 1);
            let done = mailbox.acknowledge(&ada(), position, now).await;
            done.unwrap().acknowledged
        });
        // By what it had before, or by what was never there.
        assert_eq!(acknowledge(EPOCH, now).await, 0);
        assert_eq!(acknowledge(99, now).await, 0);
        assert_eq!(acknowledge(now, now).await, 2);
        assert_eq!(waiting(&mailbox).await, [""; 0]);
    }

    #[tokio::test]
    async fn no_more_is_kept_than_may_be_for_anybody() {
        let mailbox = mailbox(2);
        let both = [ada(), ClientId::new("bob").unwrap()];
        keep(&mailbox, "1", 1).await;
        mailbox.keep(&both, "note", "2", EPOCH).await.unwrap();
        let refused = mailbox.keep(&both, "note", "3", EPOCH).await;
        assert!(
            matches!(&refused, Err(StoreError::Full(full)) if *full == both[..1]),
            "{refused:?}"
        );
        assert_eq!(mailbox.store.mail(&both[1]).await.unwrap().len(), 1);
    }
}
