use std::sync::Arc;

use shuttle::thread;

use super::super::{Admit, Gap, HandOver, Next, Standing, Tally, Then};
use crate::{
    ClientId, ConnectionId, Event, Frame, GapCause, GroupName, GroupRule, History, HistoryError,
    Keep, MemoryHistory, PageLimit, Position, Routed, Target, Viewer, models::now, sync::Mutex,
};

/// What whoever drives the hand-over does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    /// It becomes known to deliveries when all is read.
    RegistersAfterReplay,
    /// It is offered what is delivered while it catches up.
    OffersMeanwhile,
    /// Publishers take their positions before they take the section.
    PositionBeforeTheLock,
    /// The opening event of a resume carries the delivered head.
    OpensWithTheHead,
    /// Heartbeats carry the delivered head, wherever the connection is.
    BeatsWithTheHead,
    /// It is said to have caught up, with a position, before the fresh state is told.
    PositionBeforeTheFreshState,
    /// A page that was asked for before a join is taken for all there is.
    OverlooksAJoin,
    /// What was evicted under the replay is passed over.
    OverlooksAnEviction,
}

/// When the application tells how things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Never,
    /// After a gap.
    Told,
    /// After a gap; and to the client, which is new, at the beginning.
    First,
}

/// What the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Event(u64),
    /// One of the library's own events that carries a position.
    Claim(u64),
    Gap,
    /// How things stood after this event.
    Fresh(u64),
}

/// A node with one connection.
pub(super) struct Node {
    mistake: Mistake,
    state: State,
    history: MemoryHistory,
    section: Mutex<Section>,
    tally: Arc<Tally>,
}

#[derive(Default)]
pub(super) struct Section {
    head: u64,
    hand_over: Option<HandOver>,
    live: bool,
    /// Positions at which it joined `h` and left `g`, if it did.
    joined: Option<u64>,
    left: Option<u64>,
    seen: Vec<Seen>,
    /// For publishers that make a mistake.
    taken: u64,
}

pub(super) fn at(sequence: u64) -> Position {
    Position::new(1, sequence)
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

/// For everybody, the members of `g`, and those of `h` in turn.
fn target(sequence: u64) -> Target {
    match sequence % 3 {
        0 => Target::group(group("h")),
        1 => Target::everybody(),
        _ => Target::group(group("g")),
    }
}

impl Node {
    pub(super) fn new(mistake: Mistake, kept: usize, state: State) -> Arc<Self> {
        let history = MemoryHistory::last(kept);
        history.begin(at(0));
        Arc::new(Self {
            mistake,
            state,
            history,
            section: Mutex::default(),
            tally: Arc::default(),
        })
    }

    pub(super) fn publish(&self) {
        let event = Event::text("x").build().unwrap();
        let early = (self.mistake == Mistake::PositionBeforeTheLock).then(|| {
            let mut section = self.section.lock();
            section.taken += 1;
            section.taken
        });
        // The section is a router's turn here, too.
        let mut section = self.section.lock();
        let sequence = early.unwrap_or(section.head + 1);
        let routed = Routed {
            target: target(sequence),
            frame: Frame::new(&event, Some(at(sequence))),
            ticket: None,
        };
        self.history.append(&routed);
        section.head = sequence;
        let is_for_it = match sequence % 3 {
            0 => section.joined.is_some(),
            1 => true,
            _ => section.left.is_none(),
        };
        let offered = section.live || self.mistake == Mistake::OffersMeanwhile;
        if is_for_it {
            if let Some(hand_over) = &mut section.hand_over {
                hand_over.pass(at(sequence));
            }
            if offered {
                section.seen.push(Seen::Event(sequence));
            }
        }
    }

    pub(super) fn join(&self) {
        let mut section = self.section.lock();
        let head = section.head;
        section.joined = Some(head);
        if let Some(hand_over) = &mut section.hand_over {
            hand_over.join(group("h"), Some(at(head)));
            if self.mistake == Mistake::OverlooksAJoin {
                hand_over.joined = None;
            }
        }
    }

    pub(super) fn leave(&self) {
        let mut section = self.section.lock();
        let head = section.head;
        section.left = Some(head);
        if let Some(hand_over) = &mut section.hand_over {
            hand_over.leave(&group("g"), Some(at(head)));
        }
    }

    pub(super) fn beat(&self) {
        let mut section = self.section.lock();
        let head = section.head;
        if section.live || self.mistake == Mistake::BeatsWithTheHead {
            section.seen.push(Seen::Claim(head));
        }
    }

    /// The client comes back, having seen nothing, or begins with how things stand. In the section of
    /// whoever calls.
    fn register(&self, section: &mut Section) {
        let mut groups = vec![group("g")];
        groups.extend(section.joined.map(|_| group("h")));
        // What it joined and left before it came counts from the beginning.
        section.joined = section.joined.map(|_| 0);
        if section.left.is_some() {
            section.left = Some(0);
            groups.remove(0);
        }
        let id = ConnectionId::random().unwrap();
        let viewer = Viewer::new(
            id,
            ClientId::new("ada").unwrap(),
            groups,
            GroupRule::exact(),
        );
        let head = section.head;
        let begin = |cursor| {
            HandOver::new(
                viewer,
                Next::Read,
                Some(cursor),
                Some(at(head)),
                &self.tally,
            )
        };
        section.hand_over = Some(match self.state {
            State::First => begin(at(head)).with_state(),
            State::Never | State::Told => begin(at(0)),
        });
        if self.mistake == Mistake::OpensWithTheHead {
            section.seen.push(Seen::Claim(head));
        }
    }

    pub(super) fn catch_up(&self) {
        if self.mistake != Mistake::RegistersAfterReplay {
            self.register(&mut self.section.lock());
        } else {
            let mut copy = Section::default();
            self.register(&mut copy);
            let hand_over = copy.hand_over.as_mut().unwrap();
            let after = hand_over.ask().unwrap();
            let viewer = hand_over.viewer().clone();
            let all = PageLimit {
                events: 100,
                bytes: 1_000,
            };
            let page = now(self.history.page(after, &viewer, all)).unwrap();
            let mut section = self.section.lock();
            let positions = page
                .events
                .iter()
                .map(|kept| kept.frame.position().unwrap());
            section
                .seen
                .extend(positions.map(|own| Seen::Event(own.sequence())));
            section.live = true;
            return;
        }
        if self.state == State::First {
            self.tell_state();
        }
        while !self.switch() {
            self.read();
        }
    }

    /// Goes live if all has been read.
    fn switch(&self) -> bool {
        let mut section = self.section.lock();
        let head = section.head;
        let standing = section.hand_over.as_ref().unwrap().standing(false);
        if standing == Standing::Done {
            section.hand_over = None;
            section.live = true;
            section.seen.push(Seen::Claim(head));
        }
        section.live
    }

    fn read(&self) {
        let (after, viewer) = {
            let mut section = self.section.lock();
            let hand_over = section.hand_over.as_mut().unwrap();
            (hand_over.ask().unwrap(), hand_over.viewer().clone())
        };
        let limit = PageLimit {
            events: 1,
            bytes: 1_000,
        };
        let page = match now(self.history.page(after, &viewer, limit)) {
            Ok(page) => page,
            Err(HistoryError::Evicted { floor }) => return self.gap(floor),
            Err(error) => panic!("{error}"),
        };
        for kept in &page.events {
            let position = kept.frame.position().unwrap();
            let mut section = self.section.lock();
            let hand_over = section.hand_over.as_mut().unwrap();
            match hand_over.admit(&kept.target, position) {
                Admit::Send => {
                    hand_over.sent(position);
                    section.seen.push(Seen::Event(position.sequence()));
                }
                Admit::Pass => {}
                Admit::ReadAgain => {
                    hand_over.looked_to(after, position);
                    return;
                }
            }
        }
        let mut section = self.section.lock();
        section
            .hand_over
            .as_mut()
            .unwrap()
            .looked_to(after, page.looked_to);
    }

    fn gap(&self, floor: Position) {
        let mut section = self.section.lock();
        let gap = Gap {
            cause: GapCause::Evicted,
            then: Then::Floor(Some(floor)),
        };
        let head = section.head;
        if self.mistake == Mistake::OverlooksAnEviction {
            section.hand_over.as_mut().unwrap().read_from(Some(floor));
            return;
        }
        section.seen.push(Seen::Gap);
        let hand_over = section.hand_over.as_mut().unwrap();
        hand_over.gap_told(gap, Some(at(head)), self.state != State::Never);
        if self.mistake == Mistake::PositionBeforeTheFreshState {
            section.seen.push(Seen::Claim(head));
        }
        drop(section);
        if self.state != State::Never {
            self.tell_state();
        }
    }

    fn tell_state(&self) {
        thread::yield_now();
        let mut section = self.section.lock();
        let Next::Fresh(_, Some(position)) = section.hand_over.as_mut().unwrap().next() else {
            panic!("the state is to be told");
        };
        section.seen.push(Seen::Fresh(position.sequence()));
        section
            .hand_over
            .as_mut()
            .unwrap()
            .read_from(Some(position));
    }

    /// What was for it, by the order in which things happened.
    fn is_for_it(section: &Section, sequence: u64) -> bool {
        match sequence % 3 {
            0 => section.joined.is_some_and(|joined| sequence > joined),
            1 => true,
            _ => section.left.is_none_or(|left| sequence <= left),
        }
    }

    /// The client could be cut after any of what it got: what it would come back for is what it
    /// hasn't got.
    pub(super) fn assert_exact(&self) {
        let section = self.section.lock();
        let seen = &section.seen;
        // All up to here has been seen, or was told to be missing.
        let (mut known, mut gap, mut untold) = (0, false, self.state == State::First);
        for (place, item) in seen.iter().enumerate() {
            let position = match *item {
                Seen::Gap => {
                    gap = true;
                    untold = self.state != State::Never;
                    continue;
                }
                Seen::Fresh(position) => {
                    (gap, untold) = (false, false);
                    known = position;
                    continue;
                }
                Seen::Event(sequence) => {
                    assert!(
                        sequence > known,
                        "doubled or out of order: {seen:?} at {place}"
                    );
                    assert!(Self::is_for_it(&section, sequence), "not its own: {seen:?}");
                    sequence
                }
                Seen::Claim(position) => position,
            };
            assert!(!untold, "a position before the state: {seen:?} at {place}");
            let own = match item {
                Seen::Event(sequence) => known + 1..*sequence,
                _ => known + 1..position + 1,
            };
            let missed = own
                .filter(|sequence| Self::is_for_it(&section, *sequence))
                .count();
            assert!(missed == 0 || gap, "missed: {seen:?} at {place}");
            gap = false;
            known = known.max(position);
        }
        let rest =
            (known + 1..=section.head).filter(|sequence| Self::is_for_it(&section, *sequence));
        assert_eq!(rest.count(), 0, "missed at the end: {seen:?}");
    }
}
