//! Publishing in the three send modes at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sse_core::{Event, Hub};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    cast::group,
    dice::Dice,
    ledger::{ITEM, Ledger, Sent, To},
};

/// Between two events of a mode.
const PACE: Duration = Duration::from_millis(4);

const MODES: [Mode; 3] = [Mode::Unicast, Mode::Group, Mode::Broadcast];

#[derive(Debug, Clone, Copy, Hash)]
enum Mode {
    Unicast,
    Group,
    Broadcast,
}

/// Publishes in all modes until it is stopped.
#[derive(Debug)]
pub(crate) struct Publishing {
    stop: Arc<AtomicBool>,
    modes: JoinSet<()>,
}

impl Publishing {
    pub(crate) fn start(hub: &Hub, ledger: &Arc<Ledger>, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mode = |mode| {
            let mode = Publisher {
                mode,
                hub: hub.clone(),
                ledger: Arc::clone(ledger),
                dice: Dice::of(seed, mode),
                stop: Arc::clone(&stop),
            };
            mode.run()
        };
        let modes = MODES.into_iter().map(mode).collect();
        Self { stop, modes }
    }

    /// Stops, and waits until all that was published is in the ledger.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.modes.join_all().await;
    }
}

#[derive(Debug)]
struct Publisher {
    mode: Mode,
    hub: Hub,
    ledger: Arc<Ledger>,
    dice: Dice,
    stop: Arc<AtomicBool>,
}

impl Publisher {
    async fn run(mut self) {
        let mut ticks = interval(PACE);
        // What is late stays late: a burst would overflow queues.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0.. {
            ticks.tick().await;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.publish(number).await;
        }
    }

    async fn publish(&mut self, number: usize) {
        let mode = format!("{:?}", self.mode).to_lowercase();
        let padding = "x".repeat(self.dice.pick(0..=200));
        let data = format!("{mode} {number} {padding}");
        // Some have ids of their own, by which clients then come back.
        let id = self.dice.one_in(8).then(|| format!("{mode}-{number}"));
        let mut event = Event::text(&data).event(ITEM);
        if let Some(id) = &id {
            event = event.id(id.as_str());
        }
        let to = self.to();
        if to == To::Everybody {
            event = event.retry(Duration::from_millis(self.dice.pick(5..=100) as u64));
        }
        let receipt = match &to {
            To::Client(client) => self.hub.send_to(client.as_str(), event).await,
            To::Group(group) => self.hub.send_group(group.as_str(), event).await,
            To::Everybody => self.hub.broadcast(event).await,
        };
        self.ledger.sent(Sent {
            to,
            data,
            id,
            position: receipt.unwrap().position(),
        });
    }

    fn to(&mut self) -> To {
        let cast = self.ledger.cast();
        let any = self.dice.pick(0..=cast.len() - 1);
        match self.mode {
            Mode::Unicast => To::Client(cast[any].client.clone()),
            Mode::Group => To::Group(group(any)),
            Mode::Broadcast => To::Everybody,
        }
    }
}
