//! Many clients over real sockets, on each framework in each way of serving it.

mod attacked;
mod bystanders;
mod churn;
mod closes;
mod dead;
#[path = "../support/delays.rs"]
mod delays;
#[path = "../support/dice.rs"]
mod dice;
mod hostile;
mod http_2;
mod kills;
mod resume_storm;
mod slow;
mod tuning;
mod ways;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Mutex, MutexGuard};

/// Waits until no other test runs: they would take each other's time. There are as many
/// descriptors then as a process may have.
async fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::const_new(());
    let guard = ONE.lock().await;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, most).unwrap();
    guard
}
