use std::sync::Arc;

use serde_json::json;
use sse_core::{ClientNotice, ClientPresence, Event, Hub, PublishError};

use crate::{
    chat::now,
    members::Who,
    room::{Room, Told},
};

/// That somebody has come or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Join,
    Leave,
}

impl Change {
    /// Tells everybody, if it is news. Only the change: a list of all each time would be as many names, for as
    /// many readers, as there are people, whenever one of them moves.
    pub(crate) async fn tell(
        self,
        hub: &Hub,
        told: &mut Told,
        who: &Who,
    ) -> Result<(), PublishError> {
        if !told.change(self, who) {
            return Ok(());
        }
        let what = match self {
            Self::Join => "join",
            Self::Leave => "leave",
        };
        let data =
            json!({ "type": what, "nickname": who.nickname, "member": who.number, "time": now() });
        let receipt = hub.broadcast(Event::json(&data).event("system")).await?;
        if let Some(position) = receipt.position() {
            told.note_change(self, who.clone(), position);
        }
        Ok(())
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
        room.members.note(&member, change == Change::Join);
        if let Err(error) = change.tell(&hub, &mut told, &member.who).await {
            tracing::warn!(%error, "nobody is told who comes and goes");
        }
    }
}
