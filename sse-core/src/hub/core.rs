use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    HubConfig,
    catch_ups::CatchUps,
    changes::Changes,
    counters::{Counters, Info},
    cuts::Cuts,
    drain::Farewell,
    finals::Finals,
    limits::Slots,
    outcome::Outcomes,
    pulse::Pulse,
    roster::Roster,
    section::Section,
    wakes::Wakes,
};
use crate::{
    Clock, CloseReason, Connection, ConnectionId, Frame, GroupRule, History, Offer, Progress,
    QueueLimits, Registry, SinkContext, Target, WhenFull,
    budget::Budget,
    connection::Stage,
    foreign::caught,
    fresh_state::FreshStateHook,
    presence::PresenceTeller,
    sink::{QueueShared, Terms},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// As good as for ever; more can't be added to the present time everywhere.
pub(super) const AGES: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What a hub's handles, its router, its task and its streams share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) config: HubConfig,
    pub(super) registry: Box<dyn Registry>,
    /// The registry's, which is always the same.
    pub(super) group_rule: GroupRule,
    pub(super) history: Option<Arc<dyn History>>,
    /// Whether the history's epoch is the router's own, and not a log's that others write too.
    pub(super) knows_epoch: bool,
    pub(super) fresh_state: Option<FreshStateHook>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Instant,
    pub(super) when_full: WhenFull,
    pub(super) queues: Arc<QueueShared>,
    pub(super) sinks: SinkContext,
    pub(super) section: Mutex<Section>,
    pub(super) roster: Roster,
    pub(super) outcomes: Arc<Outcomes>,
    pub(super) presence: PresenceTeller,
    pub(super) counters: Counters,
    pub(super) catch_ups: CatchUps,
    pub(super) cuts: Cuts,
    pub(super) slots: Slots,
    pub(super) finals: Finals,
    pub(super) pulse: Pulse,
    pub(super) farewell: Farewell,
    /// Connections that ended, for the hub's task to take out of the registry.
    pub(super) leaving: Mutex<VecDeque<ConnectionId>>,
    pub(super) changes: Changes,
    pub(super) left: Notify,
    closed: AtomicBool,
}

/// What a hub is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) queue: QueueLimits,
    pub(super) registry: Box<dyn Registry>,
    pub(super) history: Option<Arc<dyn History>>,
    pub(super) knows_epoch: bool,
    pub(super) fresh_state: Option<FreshStateHook>,
}

impl Core {
    pub(super) fn new(
        config: HubConfig,
        parts: Parts,
        clock: Arc<dyn Clock>,
        sinks: SinkContext,
    ) -> Self {
        let Parts {
            queue,
            registry,
            history,
            knows_epoch,
            fresh_state,
        } = parts;
        let intervals = [
            Some(config.reap_check),
            config.heartbeat,
            config.healthcheck,
        ];
        let shortest = intervals.into_iter().flatten().min().unwrap_or_default();
        let tick = (shortest / 32).clamp(HubConfig::MIN_TICK, Duration::from_secs(1));
        Self {
            group_rule: caught(|| registry.group_rule()).unwrap_or_default(),
            when_full: config.overflow_or_default(history.is_some()).into(),
            registry,
            history,
            knows_epoch,
            fresh_state,
            started: clock.now(),
            clock,
            queues: Arc::new(QueueShared {
                terms: Terms {
                    limits: queue,
                    budget: config.byte_budget.map(Budget::new),
                },
                context: sinks.clone(),
            }),
            sinks,
            section: Mutex::default(),
            roster: Roster::new(millis(tick)),
            outcomes: Arc::default(),
            presence: PresenceTeller::new(config.presence_backlog),
            counters: Counters::default(),
            catch_ups: CatchUps::default(),
            cuts: Cuts::new(config.retry_after_cut, config.retry_after_cut_most),
            slots: Slots::new(config.limits.clone()),
            finals: Finals::default(),
            pulse: Pulse::default(),
            farewell: Farewell::default(),
            leaving: Mutex::default(),
            changes: Changes::default(),
            left: Notify::new(),
            closed: AtomicBool::new(false),
            config,
        }
    }

    /// The hub's time in milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        millis(self.clock.now().saturating_duration_since(self.started))
    }

    pub(super) fn budget(&self) -> Option<&Arc<Budget>> {
        self.queues.terms.budget.as_ref()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Has the hub's task take a connection out of the registry.
    pub(super) fn leave(&self, id: ConnectionId) {
        self.leaving.lock().push_back(id);
        self.left.notify_one();
    }

    /// Offers a frame to a connection's sink. Inside the ordered section.
    ///
    /// A connection whose sink is closed, or panics, ends; and so does one whose sink is full, by
    /// the policy.
    pub(super) fn offer(
        &self,
        connection: &Arc<Connection>,
        frame: &Frame,
        wakes: &mut Wakes,
    ) -> Offer {
        let offer = match connection.queue() {
            Some(queue) => queue.offer(frame, self.when_full, wakes.readers()),
            None => self.offer_foreign(connection, frame, wakes),
        };
        match offer {
            Offer::Queued { .. } | Offer::Dropped => {}
            Offer::Full => self.cut(connection, wakes),
            Offer::Closed => {
                self.end(connection, CloseReason::SinkFailed, wakes);
            }
        }
        offer
    }

    fn offer_foreign(
        &self,
        connection: &Arc<Connection>,
        frame: &Frame,
        wakes: &mut Wakes,
    ) -> Offer {
        wakes.wake(connection);
        let offer = || connection.sink().try_send(frame, self.when_full);
        guarded(connection, offer).unwrap_or(Offer::Closed)
    }

    /// Ends a connection whose queue is full.
    pub(super) fn cut(&self, connection: &Arc<Connection>, wakes: &mut Wakes) {
        if self.end(connection, CloseReason::Overflow, wakes) {
            let again = self.cuts.note(connection.client(), self.clock.now());
            self.counters.cut_again.add(u64::from(again));
        }
    }

    /// Offers one of the library's own events, for which every open sink has room.
    pub(super) fn notify(&self, connection: &Arc<Connection>, notice: &Frame, wakes: &mut Wakes) {
        self.offer(connection, notice, wakes);
    }

    /// Whether a connection's sink was closed from the other side.
    pub(super) fn is_sink_closed(connection: &Connection) -> bool {
        guarded(connection, || connection.sink().is_closed()).unwrap_or(true)
    }

    /// How far a connection's transport has come; none if its sink panicked.
    pub(super) fn progress(connection: &Connection) -> Option<Progress> {
        guarded(connection, || connection.sink().progress())
    }

    /// Calls `each` for each connection that `target` means, with how far it has come: not for
    /// those that are dormant or have ended. `false` if the registry panicked, so that some may be
    /// missing.
    pub(super) fn visit_active(
        &self,
        target: &Target,
        each: &mut dyn FnMut(&Arc<Connection>, Stage),
    ) -> bool {
        let visit = || {
            self.registry.visit(target, &mut |connection| {
                let stage = connection.stage();
                if stage.is_active() && target.admits(connection) {
                    each(connection, stage);
                }
            });
        };
        let whole = caught(visit).is_some();
        if !whole {
            tracing::error!(?target, "the registry panicked in a visit");
        }
        whole
    }

    /// Announces a connection whose body is polled for the first time.
    pub(crate) fn note_polled(&self, connection: &Connection) {
        if connection.note_polled() {
            self.presence.connected(connection);
        }
    }

    pub(super) fn info(&self) -> Info {
        let all = self.roster.all();
        let waiting = all.iter().filter_map(|c| Self::progress(c));
        let queued = waiting.map(|progress| progress.waiting as u64).sum();
        let has_ended = |connection: &&Arc<Connection>| connection.stage() == Stage::Ended;
        let ending = all.iter().filter(has_ended).count();
        let registry = self.registry.stats();
        let ended = self.counters.ended_by_reason();
        let uptime = self.clock.now().saturating_duration_since(self.started);
        Info {
            connections: all.len() - ending,
            ending,
            clients: registry.clients,
            groups: registry.groups,
            published: self.counters.published_by_mode(),
            delivered: self.sinks.delivered_total(),
            dropped: self.counters.dropped.get(),
            gave_way: self.counters.gave_way.get(),
            waiting_bytes: self.budget().map(|budget| budget.bytes() as u64),
            queued,
            reaped: ended.stalled + ended.unread,
            ended,
            heartbeats: self.counters.heartbeats.get(),
            lost: self.counters.lost.get(),
            catching_up: self.catch_ups.len(),
            resumes: self.counters.resumes.get(),
            replayed: self.counters.replayed.get(),
            gaps: self.counters.gaps.get() + self.sinks.gaps_total(),
            duplicates: self.counters.duplicates.get(),
            cut_again: self.counters.cut_again.get(),
            refused: self.counters.refused.get(),
            uptime_s: uptime.as_secs(),
        }
    }

    /// Ends everything: streams, tasks, and those who wait for an outcome.
    pub(super) fn close(self: &Arc<Self>) {
        self.closed.store(true, Ordering::Release);
        let mut wakes = Wakes::new(self);
        for connection in self.roster.connections() {
            self.end(&connection, CloseReason::HubClosed, &mut wakes);
        }
        drop(wakes);
        self.outcomes.close();
        self.presence.close();
        self.pulse.stop();
        self.left.notify_one();
    }
}

/// Calls a connection's sink, which may be foreign code; `None` if it panicked.
pub(super) fn guarded<T>(connection: &Connection, call: impl FnOnce() -> T) -> Option<T> {
    let result = caught(call);
    if result.is_none() {
        tracing::error!(connection = %connection.id(), "a sink panicked: it is closed");
    }
    result
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
