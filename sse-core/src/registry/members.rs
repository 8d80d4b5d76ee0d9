use std::{collections::HashMap, sync::Arc};

use smallvec::SmallVec;

use crate::{Connection, ConnectionId};

/// Up to how many members a list is quicker and smaller than a map.
const FEW: usize = 16;

/// The connections of a client or a group. Most clients have one, so that one is inline.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "keeps the common case, one connection, small"
)]
pub(super) enum Members {
    Few(SmallVec<[Arc<Connection>; 1]>),
    Many(Box<HashMap<ConnectionId, Arc<Connection>>>),
}

impl Default for Members {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Members {
    pub(super) fn add(&mut self, connection: Arc<Connection>) {
        match self {
            Self::Few(list) if list.len() < FEW => list.push(connection),
            Self::Few(list) => {
                let all = list.drain(..).chain([connection]);
                *self = Self::Many(Box::new(all.map(|c| (c.id(), c)).collect()));
            }
            Self::Many(map) => {
                map.insert(connection.id(), connection);
            }
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        match self {
            Self::Few(list) => list.retain(|connection| connection.id() != id),
            Self::Many(map) => {
                map.remove(&id);
                if map.len() < FEW / 2 {
                    *self = Self::Few(map.drain().map(|(_, connection)| connection).collect());
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(list) => list.is_empty(),
            Self::Many(map) => map.is_empty(),
        }
    }

    pub(super) fn for_each(&self, each: &mut dyn FnMut(&Arc<Connection>)) {
        match self {
            Self::Few(list) => list.iter().for_each(each),
            Self::Many(map) => map.values().for_each(each),
        }
    }
}
