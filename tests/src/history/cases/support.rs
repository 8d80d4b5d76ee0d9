use std::{cmp::Ordering, sync::Arc};

use sse_core::{
    Bounds, ClientId, ConnectionId, Event, EventBuilder, EventId, Frame, GroupName, GroupRule,
    HistoryError, Keep, Kept, Latest, Page, PageLimit, Position, Routed, Target, Viewer,
};

pub(crate) type Subject = Arc<dyn Keep>;

/// Where a history begins that a case writes: the floor is there, and something came before it.
pub(crate) const HEAD: Position = Position::new(7, 100);

/// A page that has room for all that a case appends.
pub(crate) const WHOLE: PageLimit = PageLimit {
    events: 10_000,
    bytes: 1 << 30,
};

/// More than a history has to keep.
pub(crate) const MORE: usize = 1_500;

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::new(name).expect("a valid client id")
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a valid group name")
}

pub(crate) fn id(name: &str) -> EventId {
    EventId::new(name).expect("a valid event id")
}

pub(crate) fn to(name: &str) -> Target {
    Target::client(client(name))
}

/// A connection of a client that is in groups of exactly these names.
pub(crate) fn viewer(name: &str, groups: &[&str]) -> Viewer {
    ruled(name, groups, GroupRule::exact())
}

pub(crate) fn ruled(name: &str, groups: &[&str], rule: GroupRule) -> Viewer {
    let connection = ConnectionId::random().expect("random numbers");
    viewer_of(connection, name, groups, rule)
}

pub(crate) fn viewer_of(
    connection: ConnectionId,
    name: &str,
    groups: &[&str],
    rule: GroupRule,
) -> Viewer {
    let groups = groups.iter().map(|name| group(name));
    Viewer::new(connection, client(name), groups, rule)
}

/// A member of a group gets what is for groups whose names begin with its own and a `-`, and not
/// what is for its own.
pub(crate) fn below() -> GroupRule {
    GroupRule::new(|joined, addressed| {
        let rest = addressed.as_str().strip_prefix(joined.as_str());
        rest.is_some_and(|rest| rest.starts_with('-'))
    })
}

/// A history that has begun, and where it stands.
pub(crate) struct Log {
    history: Subject,
    newest: Position,
}

impl Log {
    /// Begins at [`HEAD`].
    pub(crate) fn begun(history: Subject) -> Self {
        Self::begun_at(history, HEAD)
    }

    pub(crate) fn begun_at(history: Subject, head: Position) -> Self {
        history.begin(head);
        Self {
            history,
            newest: head,
        }
    }

    pub(crate) const fn newest(&self) -> Position {
        self.newest
    }

    pub(crate) fn append(&mut self, target: impl Into<Target>) -> Position {
        self.append_event(target, Event::text("an event"))
            .position()
    }

    /// Appends `count` events for everybody.
    pub(crate) fn append_many(&mut self, count: usize) -> Vec<Position> {
        let all = (0..count).map(|_| self.append(Target::everybody()));
        all.collect()
    }

    /// Appends an event at the next position.
    pub(crate) fn append_event(
        &mut self,
        target: impl Into<Target>,
        event: EventBuilder,
    ) -> Appended {
        self.append_later(1, target, event)
    }

    /// Appends an event so many positions further on.
    pub(crate) fn append_later(
        &mut self,
        by: u64,
        target: impl Into<Target>,
        event: EventBuilder,
    ) -> Appended {
        let position = further(self.newest, by);
        let event = event.build().expect("a valid event");
        let frame = Frame::new(&event, Some(position));
        let target = target.into();
        self.history.append(&Routed {
            target: target.clone(),
            frame: frame.clone(),
            ticket: None,
        });
        self.newest = position;
        Appended { target, frame }
    }

    pub(crate) async fn bounds(&self) -> Bounds {
        bounds(&self.history).await
    }

    pub(crate) async fn try_page(&self, after: Position) -> Result<Page, HistoryError> {
        let anyone = viewer("ada", &[]);
        self.history.page(after, &anyone, WHOLE).await
    }

    pub(crate) async fn page(&self, after: Position, viewer: &Viewer, limit: PageLimit) -> Page {
        page(&self.history, after, viewer, limit).await
    }

    pub(crate) async fn locate(&self, name: &str, viewer: &Viewer) -> Option<Position> {
        let located = self.history.locate(&id(name), viewer).await;
        located.unwrap_or_else(|error| panic!("locate, which nothing speaks against: {error:?}"))
    }

    pub(crate) async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Position {
        let latest = self.history.latest(wanted, viewer).await;
        latest.unwrap_or_else(|error| panic!("latest, which nothing speaks against: {error:?}"))
    }

    /// What the viewer reads after `after`, page by page.
    pub(crate) async fn read(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Vec<Kept> {
        let newest = self.bounds().await.newest;
        let (mut read, mut at) = (Vec::new(), after);
        while at < newest {
            let page = self.page(at, viewer, limit).await;
            read.extend(page.events);
            // How far a page has to come is the business of cases of their own.
            if page.looked_to.partial_cmp(&at) != Some(Ordering::Greater) {
                break;
            }
            at = page.looked_to;
        }
        read
    }

    /// What `viewer` reads from the beginning on is at these positions.
    pub(crate) async fn assert_sees(&self, viewer: &Viewer, expected: &[Position]) {
        self.assert_read(HEAD, viewer, WHOLE, expected).await;
    }

    /// What `viewer` reads after `after` in pages of this limit is at these positions.
    pub(crate) async fn assert_read(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
        expected: &[Position],
    ) {
        let read = self.read(after, viewer, limit).await;
        assert_positions(after, &read, expected);
    }
}

/// An event that was appended.
pub(crate) struct Appended {
    pub(crate) target: Target,
    pub(crate) frame: Frame,
}

impl Appended {
    pub(crate) fn position(&self) -> Position {
        position(&self.frame)
    }
}

pub(crate) fn position(frame: &Frame) -> Position {
    let position = frame.position();
    position.expect("an event on a page has its position")
}

pub(crate) fn positions(kept: &[Kept]) -> Vec<Position> {
    kept.iter().map(|kept| position(&kept.frame)).collect()
}

pub(crate) const fn further(position: Position, by: u64) -> Position {
    Position::new(position.epoch(), position.sequence() + by)
}

/// The place right before it.
pub(crate) const fn before(position: Position) -> Position {
    Position::new(position.epoch(), position.sequence() - 1)
}

#[track_caller]
pub(crate) fn assert_positions(after: Position, read: &[Kept], expected: &[Position]) {
    let read = positions(read);
    if read == expected {
        return;
    }
    let told = |positions: &[Position]| {
        let sequences: Vec<_> = positions.iter().map(|p| p.sequence()).collect();
        match &sequences[..] {
            [first, .., last] if sequences.len() > 24 => {
                format!("{} from {first} to {last}", sequences.len())
            }
            _ => format!("{sequences:?}"),
        }
    };
    let same = read.iter().zip(expected).take_while(|(a, b)| a == b);
    panic!(
        "after {after} the viewer sees {}; its pages have {}, right up to the {}. of them",
        told(expected),
        told(&read),
        same.count()
    );
}

pub(crate) async fn bounds(history: &Subject) -> Bounds {
    let bounds = history.bounds().await;
    bounds.unwrap_or_else(|error| panic!("bounds, which nothing speaks against: {error:?}"))
}

/// A page that no rule lets fail.
pub(crate) async fn page(
    history: &Subject,
    after: Position,
    viewer: &Viewer,
    limit: PageLimit,
) -> Page {
    let page = history.page(after, viewer, limit).await;
    page.unwrap_or_else(|error| panic!("a page after {after}, from where all is kept: {error:?}"))
}
