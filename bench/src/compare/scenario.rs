use super::super::load::To;

/// A load, and who has to bear it.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What it asks.
    pub(super) question: &'static str,
    pub(super) connections: usize,
    pub(super) events: usize,
    /// A second; as fast as they are accepted where there is none.
    pub(super) rate: Option<f64>,
    pub(super) publishers: usize,
    /// How many each of them publishes before the first is answered.
    pub(super) ahead: usize,
    pub(super) to: To,
    pub(super) stalled_percent: usize,
    pub(super) resume: bool,
    /// How many events wait for a connection, or in a baseline's channel.
    pub(super) queue: usize,
    /// How many streams are on their way to be opened at the same time.
    pub(super) opening: usize,
    pub(super) contestants: &'static [Contestant],
}

/// A server, and how it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) args: &'static [&'static str],
}

impl Contestant {
    /// What users of the same framework write without this library.
    pub(super) fn idiom(&self) -> Option<&'static Self> {
        match self.args {
            ["--framework", "poem", ..] => Some(&POEM_IDIOM),
            ["--framework", "warp", ..] => Some(&WARP_IDIOM),
            _ => None,
        }
    }
}

impl Scenario {
    /// What waits where, in words.
    pub(super) fn terms(&self) -> String {
        format!(
            "{} events and 64 MiB wait for a connection; over it the oldest is dropped, with history the \
             connection is closed. The idioms' channel holds as many events; who is slower misses some.",
            self.queue
        )
    }

    /// Fewer connections, where there are many, and fewer events.
    pub(super) fn quick(&self) -> Self {
        let few = |count: usize| if count > 1_000 { count / 5 } else { count };
        Self {
            connections: few(self.connections),
            events: self.events.div_ceil(5),
            ..*self
        }
    }
}

macro_rules! contestants {
    ($($which:ident = $name:literal: $($arg:literal)+;)*) => {
        $(const $which: Contestant = Contestant {
            name: $name,
            args: &[$($arg),+],
        };)*
    };
}

contestants! {
    POEM = "poem, own loop": "--framework" "poem" "--loop" "own" "--history" "off";
    POEM_PLAIN = "poem, plain": "--framework" "poem" "--loop" "plain" "--history" "off";
    POEM_HISTORY = "poem, own loop, history": "--framework" "poem" "--loop" "own" "--history" "on";
    WARP = "warp, own loop": "--framework" "warp" "--loop" "own" "--history" "off";
    WARP_PLAIN = "warp, plain": "--framework" "warp" "--loop" "plain" "--history" "off";
    WARP_HISTORY = "warp, own loop, history": "--framework" "warp" "--loop" "own" "--history" "on";
    POEM_IDIOM = "poem's SSE": "--baseline" "poem";
    WARP_IDIOM = "warp::sse": "--baseline" "warp";
    AXUM_IDIOM = "axum's Sse": "--baseline" "axum";
    FLOOR = "floor": "--baseline" "floor";
}

const BROADCAST: &[Contestant] = &[
    POEM,
    POEM_PLAIN,
    POEM_HISTORY,
    WARP,
    WARP_PLAIN,
    WARP_HISTORY,
    POEM_IDIOM,
    WARP_IDIOM,
    AXUM_IDIOM,
    FLOOR,
];

/// Those that know clients and groups.
const OURS: &[Contestant] = &[POEM, POEM_HISTORY, WARP, WARP_HISTORY];

/// Those that keep what is missed.
const WITH_HISTORY: &[Contestant] = &[POEM_HISTORY, WARP_HISTORY];

/// A burst to a thousand, on which the others are built.
const BASE: Scenario = Scenario {
    name: "burst-1000",
    question: "1,000 connections; events as fast as they are accepted, 64 at a time",
    connections: 1_000,
    events: 2_000,
    rate: None,
    publishers: 1,
    ahead: 64,
    to: To::Everybody,
    stalled_percent: 0,
    resume: false,
    queue: 4_096,
    opening: 200,
    contestants: BROADCAST,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    BASE,
    Scenario {
        name: "burst-10000",
        question: "10,000 connections; events as fast as they are accepted, 64 at a time",
        connections: 10_000,
        events: 200,
        ..BASE
    },
    Scenario {
        name: "steady-10000",
        question: "10,000 connections, 5 events a second: nothing queues, one write a delivery",
        connections: 10_000,
        events: 50,
        rate: Some(5.0),
        ..BASE
    },
    Scenario {
        name: "idle-19500",
        question: "19,500 connections that idle, then one event",
        connections: 19_500,
        events: 1,
        ..BASE
    },
    Scenario {
        name: "groups-10000",
        question: "1,000 groups of ten, one group after the other",
        connections: 10_000,
        events: 20_000,
        to: To::Group,
        contestants: OURS,
        ..BASE
    },
    Scenario {
        name: "unicast-10000",
        question: "one event to one of 10,000, at random",
        connections: 10_000,
        events: 20_000,
        to: To::Client,
        contestants: OURS,
        ..BASE
    },
    Scenario {
        name: "publishers-100",
        question: "100 that publish at the same time, to 1,000 connections",
        events: 1_000,
        publishers: 100,
        ahead: 1,
        ..BASE
    },
    Scenario {
        name: "stalled-1-percent",
        question: "1,000 connections, of which 10 are never read; 100 events a second",
        events: 500,
        rate: Some(100.0),
        stalled_percent: 1,
        ..BASE
    },
    Scenario {
        name: "connect-storm",
        question: "10,000 connections at once, then one event",
        connections: 10_000,
        events: 1,
        opening: 2_000,
        ..BASE
    },
    Scenario {
        name: "resume-storm",
        question: "10,000 connections that come back at once for 10 events each",
        connections: 10_000,
        events: 10,
        opening: 2_000,
        resume: true,
        contestants: WITH_HISTORY,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        for (at, scenario) in SCENARIOS.iter().enumerate() {
            let same = |other: &Scenario| other.name == scenario.name;
            assert!(!SCENARIOS[at + 1..].iter().any(same), "{}", scenario.name);
        }
    }

    #[test]
    fn what_is_published_fits_the_queues() {
        for scenario in SCENARIOS {
            assert!(
                scenario.to != To::Everybody || scenario.events <= scenario.queue,
                "{}",
                scenario.name
            );
        }
    }
}
