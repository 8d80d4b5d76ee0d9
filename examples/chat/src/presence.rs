use std::sync::Arc;

use sse_core::{ClientNotice, ClientPresence, Event, EventBuilder, Hub};

use crate::{Nickname, chat::now, room::Room};

/// That somebody has come or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Join,
    Leave,
}

impl Change {
    /// What everybody is told. Only the change: a list of all each time would be as many names, for as many
    /// readers, as there are people, whenever one of them moves.
    pub(crate) fn event(self, nickname: &Nickname) -> EventBuilder {
        let what = match self {
            Self::Join => "join",
            Self::Leave => "leave",
        };
        let data = serde_json::json!({ "type": what, "nickname": nickname, "time": now() });
        Event::json(&data).event("system")
    }
}

/// Tells everybody who comes and goes, until the hub is closed.
pub(crate) async fn tell(hub: Hub, room: Arc<Room>, mut presence: ClientPresence) {
    while let Some(notice) = presence.next().await {
        let (change, client) = match notice {
            ClientNotice::Online(client) => (Change::Join, client),
            ClientNotice::Offline(client) => (Change::Leave, client),
        };
        let mut told = room.told.lock().await;
        // Who has left the room is told of already, and may have given his name to another.
        let Some(member) = room.members.of_client(&client) else {
            continue;
        };
        let is_new = match change {
            Change::Join => told.online.insert(member.nickname.clone()),
            Change::Leave => told.online.remove(&member.nickname),
        };
        if is_new && let Err(error) = hub.broadcast(change.event(&member.nickname)).await {
            tracing::warn!(%error, "nobody is told who comes and goes");
        }
    }
}
