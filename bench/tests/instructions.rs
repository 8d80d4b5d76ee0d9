//! How many instructions of its own the server executes for a delivery: counted by valgrind, so that
//! the figure is the same on a machine that is busy.
//!
//! `cargo test --release -p sse-bench --test instructions -- --ignored --nocapture`

#[path = "support/server.rs"]
mod server;

use std::{
    env, fs,
    process::{Child, Command, Stdio},
};

use server::{PROGRAM, free_port, load};

const CONNECTIONS: u64 = 1_000;
/// With so many events, and with so many: what is done once is in both.
const FEW: u64 = 10;
const MORE: u64 = 30;

/// What a delivery is to cost on our own loop, and 3 % of it for other versions of what is beneath.
const LIMIT: u64 = 3_500 * 103 / 100;

/// Events a second: under valgrind one is out to all before the next.
const RATE: &str = "10";

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// All that a server executes that broadcasts so many events, one after the other.
fn executed(args: &[&str], events: u64) -> u64 {
    let port = free_port();
    let name = format!("sse-instructions-{}-{port}", std::process::id());
    let log = env::temp_dir().join(name);
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--log-file={}", log.display()))
        .args([PROGRAM, "serve", "--current-thread", "--port", &port])
        .args(args)
        .stdin(Stdio::null())
        .spawn()
        .expect("valgrind is there");
    let mut valgrind = Ends(valgrind);
    let (events, connections) = (events.to_string(), CONNECTIONS.to_string());
    let args = ["--connections", &connections, "--events", &events];
    let report = load(
        &port,
        valgrind.0.id(),
        &[&args[..], &["--rate", RATE]].concat(),
    );
    // Those that leave together share a write, and cost less.
    let writes = report["segments_a_delivery"].as_f64().unwrap();
    assert!(
        writes > 0.99,
        "{writes} writes a delivery: the pace is too fast"
    );
    let valgrind = &mut valgrind.0;
    let pid = rustix::process::Pid::from_child(valgrind);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    valgrind.wait().unwrap();
    let told = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    let collected = told
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    let collected = collected.unwrap_or_else(|| panic!("no sum in {told}"));
    collected.trim().parse().expect("a number")
}

#[test]
#[ignore = "it needs valgrind, and a release build: run by `cargo xtask test`"]
fn a_delivery_costs_few_instructions() {
    for args in [
        ["--framework", "warp", "--history", "off"],
        ["--framework", "poem", "--history", "off"],
        // What keeping an event costs is shared by all whom it goes to.
        ["--framework", "warp", "--history", "on"],
    ] {
        let (few, more) = (executed(&args, FEW), executed(&args, MORE));
        // Before what is measured as many events are published as there are, up to 20.
        let deliveries = CONNECTIONS * (MORE + MORE.min(20) - FEW - FEW.min(20));
        let each = (more - few) / deliveries;
        #[expect(clippy::print_stdout, reason = "the figure")]
        {
            println!("{args:?}: {each} instructions a delivery");
        }
        assert!(each <= LIMIT, "{args:?}: {each} instructions a delivery");
    }
}
