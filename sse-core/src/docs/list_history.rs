use std::sync::{Mutex, MutexGuard, PoisonError};

use sse_core::{
    Bounds, EventId, History, HistoryError, Keep, Kept, Latest, Page, PageLimit, Position, Routed,
    Viewer, async_trait,
};

#[derive(Debug)]
struct ListHistory(Mutex<List>);

#[derive(Debug)]
struct List {
    floor: Position,
    /// With the time at which each was published.
    events: Vec<(std::time::SystemTime, Kept)>,
}

impl Default for ListHistory {
    fn default() -> Self {
        let floor = Position::new(0, 0);
        Self(Mutex::new(List { floor, events: Vec::new() }))
    }
}

impl ListHistory {
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position(kept: &Kept) -> Position {
    kept.frame.position().expect("what is kept has a position")
}

impl List {
    fn newest(&self) -> Position {
        self.events.last().map_or(self.floor, |(_, kept)| position(kept))
    }

    fn seen_by(&self, viewer: &Viewer) -> impl DoubleEndedIterator<Item = &Kept> {
        let sees = |kept: &&Kept| viewer.sees(&kept.target, position(kept));
        self.events.iter().map(|(_, kept)| kept).filter(sees)
    }

    /// The position right before that of an event.
    fn before(&self, event: Position) -> Position {
        let older = self.events.iter().map(|(_, kept)| position(kept));
        older.take_while(|own| *own < event).last().unwrap_or(self.floor)
    }
}

#[async_trait]
impl History for ListHistory {
    async fn bounds(&self) -> Result<Bounds, HistoryError> {
        let list = self.list();
        let bytes = list.events.iter().map(|(_, kept)| kept.frame.len() as u64);
        Ok(Bounds {
            floor: list.floor,
            newest: list.newest(),
            events: list.events.len() as u64,
            bytes: bytes.sum(),
        })
    }

    async fn locate(&self, id: &EventId, viewer: &Viewer) -> Result<Option<Position>, HistoryError> {
        let list = self.list();
        let mut newest = list.seen_by(viewer).rev();
        Ok(newest.find(|kept| kept.frame.event_id() == Some(id)).map(position))
    }

    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError> {
        let list = self.list();
        Ok(match wanted {
            Latest::Events(0) => list.newest(),
            Latest::Events(count) => {
                let first = list.seen_by(viewer).rev().nth(count - 1);
                first.map_or(list.floor, |first| list.before(position(first)))
            }
            Latest::Since(time) => {
                let first = list.events.iter().find(|(published, _)| *published >= time);
                first.map_or(list.newest(), |(_, first)| list.before(position(first)))
            }
        })
    }

    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        let list = self.list();
        let floor = list.floor;
        if after.epoch() != floor.epoch() {
            return Err(HistoryError::Epoch { floor });
        }
        if after < floor {
            return Err(HistoryError::Evicted { floor });
        }
        if after > list.newest() {
            return Err(HistoryError::Ahead);
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        for kept in list.seen_by(viewer).filter(|kept| position(kept) > after) {
            bytes += kept.frame.len();
            let full = events.len() >= limit.events || bytes > limit.bytes;
            if let (true, Some(last)) = (full, events.last()) {
                return Ok(Page { looked_to: position(last), events });
            }
            events.push(kept.clone());
        }
        Ok(Page { events, looked_to: list.newest() })
    }
}

impl Keep for ListHistory {
    fn begin(&self, head: Position) {
        *self.list() = List { floor: head, events: Vec::new() };
    }

    fn append(&self, routed: &Routed) {
        let now = std::time::SystemTime::now();
        self.list().events.push((now, Kept::from(routed)));
    }
}
