//! Nothing is lost, doubled or out of order, however often a network cuts streams: over real
//! sockets, on each framework, to a browser, to Node and to a client in Rust, which all come back
//! by themselves.

mod browser;
mod cast;
#[path = "../support/dice.rs"]
mod dice;
mod fate;
mod ledger;
mod node;
mod proxy;
mod publish;
mod rust_client;
mod seed;
mod server;
mod trial;

use std::{num::NonZeroUsize, time::Duration};

use sse_core::{Hub, HubBuilder, MemoryHistory, QueueLimits};

use crate::{cast::Kind, server::Framework, trial::trial};

/// Small queues, which a replay fills, and many positions that no event has.
fn builder() -> HubBuilder {
    let queue = QueueLimits {
        events: NonZeroUsize::new(64).unwrap(),
        ..QueueLimits::default()
    };
    Hub::builder()
        .queue(queue)
        // Who is too slow for its queue is to come back within the test.
        .retry_after_cut(Duration::from_millis(20), Duration::from_millis(200))
        .initial_heartbeat(true)
        .heartbeat(Duration::from_millis(50))
        .heartbeat_to_all(true)
}

async fn nothing_is_wrong(framework: Framework) {
    let hub = builder()
        .history(MemoryHistory::last(100_000))
        .build()
        .unwrap();
    let kinds = [Kind::Chromium, Kind::Node, Kind::Rust];
    let outcome = trial(framework, &hub, &kinds).await;
    assert!(outcome.verdict.is_flawless(), "{outcome:#?}");
    let info = hub.info();
    assert_eq!((info.gaps, info.lost), (0, 0), "{outcome:#?}");
    for (kind, tally) in &outcome.tallies {
        // Mostly it is more than a third.
        assert!(
            tally.inside * 6 >= tally.cuts(),
            "{kind:?}: too few cuts were inside a replay: {outcome:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_poem_nothing_is_lost_doubled_or_out_of_order() {
    nothing_is_wrong(Framework::Poem).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_warp_nothing_is_lost_doubled_or_out_of_order() {
    nothing_is_wrong(Framework::Warp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_history_events_are_lost() {
    let hub = builder().without_history().build().unwrap();
    let outcome = trial(Framework::Poem, &hub, &[Kind::Rust]).await;
    let verdict = &outcome.verdict;
    assert!(verdict.lost > 0, "{outcome:#?}");
    assert_eq!((verdict.doubled, verdict.astray), (0, 0), "{outcome:#?}");
}
