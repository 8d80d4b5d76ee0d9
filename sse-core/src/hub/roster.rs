use std::sync::Arc;

use slab::Slab;

use crate::{
    Connection,
    connection::Stage,
    sync::{Mutex, atomic::Ordering},
};

/// How many slots the wheel has. What is due later than a turn of it is looked at earlier, and put
/// back.
const SLOTS: u64 = 64;

/// The connections of a hub, and when each is to be looked at next: one timer for all.
///
/// It is the hub's own count of them: a connection is in it from subscribing to its end, whatever
/// the registry does; and on until its transport has let go of it, where there was something left to
/// read. Times are milliseconds of the hub's time.
#[derive(Debug)]
pub(super) struct Roster {
    tick_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seats: Slab<Seat>,
    /// Keys of seats by the tick at which they are due. An entry may outlive its seat, and the key
    /// be another's by then: what counts is the seat's own `due_tick`.
    wheel: Vec<Vec<u32>>,
    /// The last tick that was looked at.
    tick: u64,
}

#[derive(Debug)]
struct Seat {
    connection: Arc<Connection>,
    due_tick: u64,
}

impl Roster {
    /// An empty roster that is looked at no more often than every `tick_ms`.
    pub(super) fn new(tick_ms: u64) -> Self {
        Self {
            tick_ms,
            state: Mutex::new(State {
                seats: Slab::new(),
                wheel: vec![Vec::new(); SLOTS as usize],
                tick: 0,
            }),
        }
    }

    /// Adds a connection that is to be looked at when it is `due`; `true` if it is the only one,
    /// so that nobody is waiting for an earlier time.
    pub(super) fn insert(&self, connection: &Arc<Connection>, due: u64) -> bool {
        let mut state = self.state.lock();
        let seat = Seat {
            connection: Arc::clone(connection),
            due_tick: 0,
        };
        let key = key_of(state.seats.insert(seat));
        connection.seat.store(key, Ordering::Relaxed);
        self.place(&mut state, key, due);
        state.seats.len() == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().seats.is_empty()
    }

    /// Takes a connection out; `false` if it isn't there (any more).
    pub(super) fn remove(&self, connection: &Arc<Connection>) -> bool {
        let mut state = self.state.lock();
        let key = connection.seat.load(Ordering::Relaxed);
        let found = state.seat_of(key, connection).is_some();
        if found {
            state.seats.remove(key as usize);
            if state.seats.is_empty() {
                // Gives memory back that a crowd has left.
                drop(state.clear());
            }
        }
        drop(state);
        found
    }

    /// Takes all out.
    pub(super) fn clear(&self) {
        let seats = self.state.lock().clear();
        drop(seats);
    }

    /// Whether a connection is in it: also one that has ended, as long as it has something to read.
    pub(super) fn has(&self, connection: &Arc<Connection>) -> bool {
        let mut state = self.state.lock();
        let key = connection.seat.load(Ordering::Relaxed);
        state.seat_of(key, connection).is_some()
    }

    /// Every connection that hasn't ended.
    pub(super) fn connections(&self) -> Vec<Arc<Connection>> {
        self.those(|connection| connection.stage() != Stage::Ended)
    }

    /// Every connection that the registry is still taking in.
    pub(super) fn dormant(&self) -> Vec<Arc<Connection>> {
        self.those(|connection| connection.stage() == Stage::Dormant)
    }

    /// Every connection that the registry is still taking in, or that has ended with something left to
    /// read.
    pub(super) fn inactive(&self) -> Vec<Arc<Connection>> {
        self.those(|connection| !connection.stage().is_active())
    }

    /// Every connection, those that have ended with something left to read among them.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.those(|_| true)
    }

    fn those(&self, are: impl Fn(&Connection) -> bool) -> Vec<Arc<Connection>> {
        let state = self.state.lock();
        let connections = state.seats.iter().map(|(_, seat)| &seat.connection);
        connections
            .filter(|connection| are(connection))
            .map(Arc::clone)
            .collect()
    }

    /// The connections that are due by `now`. Each has to be put back.
    pub(super) fn due(&self, now: u64) -> Vec<Arc<Connection>> {
        let mut state = self.state.lock();
        let tick = now / self.tick_ms;
        let first = (state.tick + 1).max(tick.saturating_sub(SLOTS - 1));
        let mut due = Vec::new();
        for slot in first..=tick {
            let keys = std::mem::take(&mut state.wheel[(slot % SLOTS) as usize]);
            for key in keys {
                if let Some(seat) = state.seats.get_mut(key as usize)
                    && seat.due_tick <= tick
                {
                    // Once, however many entries there are of this key.
                    seat.due_tick = u64::MAX;
                    due.push(Arc::clone(&seat.connection));
                }
            }
        }
        state.tick = state.tick.max(tick);
        drop(state);
        due
    }

    /// Puts a connection back, to be looked at when it is `due`, unless it was taken out.
    pub(super) fn put_back(&self, connection: &Arc<Connection>, due: u64) {
        let mut state = self.state.lock();
        let key = connection.seat.load(Ordering::Relaxed);
        if state.seat_of(key, connection).is_some() {
            self.place(&mut state, key, due);
        }
    }

    /// Makes every seat due at once, as after a pulse that stopped midway.
    pub(super) fn all_due(&self) {
        let mut state = self.state.lock();
        let keys: Vec<u32> = state.seats.iter().map(|(key, _)| key_of(key)).collect();
        for key in keys {
            self.place(&mut state, key, 0);
        }
    }

    /// When the next seat is due; none while there are none.
    pub(super) fn next_due(&self) -> Option<u64> {
        let state = self.state.lock();
        if state.seats.is_empty() {
            return None;
        }
        let ticks = state.tick + 1..=state.tick + SLOTS;
        let mut occupied = ticks.filter(|tick| !state.wheel[(tick % SLOTS) as usize].is_empty());
        occupied.next().map(|tick| tick * self.tick_ms)
    }

    fn place(&self, state: &mut State, key: u32, due: u64) {
        let tick = due.div_ceil(self.tick_ms);
        let tick = tick.clamp(state.tick + 1, state.tick + SLOTS - 1);
        state.seats[key as usize].due_tick = tick;
        state.wheel[(tick % SLOTS) as usize].push(key);
    }
}

impl State {
    /// Takes all out, and gives the memory back that they had.
    fn clear(&mut self) -> Slab<Seat> {
        self.wheel.fill_with(Vec::new);
        std::mem::take(&mut self.seats)
    }

    fn seat_of(&mut self, key: u32, connection: &Arc<Connection>) -> Option<&mut Seat> {
        let seat = self.seats.get_mut(key as usize)?;
        Arc::ptr_eq(&seat.connection, connection).then_some(seat)
    }
}

/// Keys are small, so that they take little.
fn key_of(seat: usize) -> u32 {
    u32::try_from(seat).expect("memory ends long before")
}
