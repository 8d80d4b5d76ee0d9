//! Events in three modes on their way to clients whose connections are cut.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use sse_browser::Browser;
use sse_conformance::eventually;
use sse_core::{Event, Hub, Target};
use tokio::task::JoinSet;

use crate::{
    browser,
    cast::{Kind, Member, cast},
    ledger::{END, ITEM, Ledger, Verdict},
    node,
    proxy::{Proxy, Tally},
    publish::Publishing,
    rust_client,
    seed::{SEED, seed},
    server::{Framework, serve},
};

/// So many events are published at least.
const EVENTS: usize = 5_000;
/// So often each client is cut at least.
const CUTS: usize = 20;
/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a trial.
#[derive(Debug)]
#[expect(dead_code, reason = "a failure shows all of it")]
pub(crate) struct Outcome {
    pub(crate) seed: Seed,
    pub(crate) published: usize,
    pub(crate) took: Duration,
    pub(crate) tallies: BTreeMap<Kind, Tally>,
    pub(crate) verdict: Verdict,
}

/// What repeats a trial's choices; if the test fails, it is printed.
#[derive(Debug)]
pub(crate) struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "a failure tells how to try it again")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to have the same choices again: {SEED}={}", self.0);
        }
    }
}

/// Publishes to clients of `kinds` until each has been cut often enough, and compares what came
/// once all are back.
pub(crate) async fn trial(framework: Framework, hub: &Hub, kinds: &[Kind]) -> Outcome {
    let (seed, start) = (Seed(seed()), Instant::now());
    let ledger = Arc::new(Ledger::new(&cast(kinds)));
    let proxy = Proxy::start(serve(hub, framework), seed.0).await;
    let mut clients = Clients::open(proxy.addr, &ledger).await;
    let run = clients.run(hub, &proxy, &ledger, seed.0);
    let run = AssertUnwindSafe(run).catch_unwind().await;
    clients.close().await;
    if let Err(panic) = run {
        resume_unwind(panic);
    }
    let outcome = Outcome {
        seed,
        published: ledger.sent_count(),
        took: start.elapsed(),
        tallies: tallies(kinds, &proxy, &ledger),
        verdict: ledger.verdict(),
    };
    print(hub, framework, &outcome);
    outcome
}

#[expect(clippy::print_stdout, reason = "the figures, for who asks for them")]
fn print(hub: &Hub, framework: Framework, outcome: &Outcome) {
    println!("{framework:?}: {outcome:#?}\n{:#?}", hub.info());
}

fn tallies(kinds: &[Kind], proxy: &Proxy, ledger: &Ledger) -> BTreeMap<Kind, Tally> {
    let of_kind = |kind| {
        let members = ledger.cast().iter().filter(move |it| it.kind == kind);
        members.map(|member| proxy.tally(&member.client)).sum()
    };
    kinds.iter().map(|kind| (*kind, of_kind(*kind))).collect()
}

/// The clients of a trial.
struct Clients {
    browser: Option<Browser>,
    /// None of them ends, unless it fails.
    following: JoinSet<()>,
}

impl Clients {
    async fn open(addr: SocketAddr, ledger: &Arc<Ledger>) -> Self {
        let of_kind = |kind| -> Vec<Member> {
            let members = ledger.cast().iter().filter(|member| member.kind == kind);
            members.cloned().collect()
        };
        let mut following = JoinSet::new();
        for member in of_kind(Kind::Rust) {
            following.spawn(rust_client::follow(addr, member, Arc::clone(ledger)));
        }
        let in_node = of_kind(Kind::Node);
        if !in_node.is_empty() {
            following.spawn(node::follow(addr, in_node, Arc::clone(ledger)));
        }
        let in_browser = of_kind(Kind::Chromium);
        let mut page = None;
        if !in_browser.is_empty() {
            let opened = browser::open(addr, &in_browser).await;
            following.spawn(browser::follow(&opened, Arc::clone(ledger)));
            page = Some(opened);
        }
        Self {
            browser: page,
            following,
        }
    }

    async fn run(&mut self, hub: &Hub, proxy: &Proxy, ledger: &Arc<Ledger>, seed: u64) {
        self.wait("everybody is connected", || ledger.all_got("connected"))
            .await;
        let publishing = Publishing::start(hub, ledger, seed);
        // Then all have been told to come back soon.
        self.wait("everybody gets events", || ledger.all_got(ITEM))
            .await;
        proxy.cut(true);
        let often = |member: &Member| proxy.tally(&member.client).cuts() >= CUTS;
        self.wait("everybody is cut often enough", || {
            ledger.sent_count() >= EVENTS && ledger.cast().iter().all(often)
        })
        .await;
        publishing.stop().await;
        proxy.cut(false);
        // Without a history only who is there gets it: again, until all are.
        self.wait("everybody gets the end", || {
            let end = hub.try_publish(Target::everybody(), Event::text("x").event(END));
            drop(end.unwrap());
            ledger.all_got(END)
        })
        .await;
    }

    /// Waits until `holds`, or one of the clients has failed.
    async fn wait(&mut self, what: &str, mut holds: impl FnMut() -> bool + Send) {
        let following = &mut self.following;
        let holds = || {
            if let Some(Err(error)) = following.try_join_next() {
                resume_unwind(error.into_panic());
            }
            holds()
        };
        eventually(what, PATIENCE, holds).await;
    }

    async fn close(mut self) {
        self.following.shutdown().await;
        if let Some(browser) = self.browser {
            browser.close().await;
        }
    }
}
