//! Every server keeps the contract: the generator, which fails on what is lost, doubled or out of
//! order, gets all that it is to get.

#[path = "support/server.rs"]
mod server;

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use server::{PROGRAM, free_port, load};

/// A server that ends with the test.
struct Server {
    process: Child,
    port: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(PROGRAM);
        command.arg("serve").args(args).args(["--port", &port]);
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        Self { process, port }
    }

    /// Loads it, with 50 connections; how many deliveries there were.
    fn load(&self, args: &[&str]) -> u64 {
        self.report(args)["deliveries"].as_u64().unwrap()
    }

    fn report(&self, args: &[&str]) -> Value {
        let args = [&["--connections", "50"], args].concat();
        let report = load(&self.port, self.process.id(), &args);
        for figure in ["cpu_a_delivery", "delay_p50", "bytes_a_connection"] {
            assert!(report[figure].as_f64().unwrap() > 0.0, "{figure}: {report}");
        }
        report
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

const BASELINES: [&[&str]; 4] = [
    &["--baseline", "poem"],
    &["--baseline", "warp"],
    &["--baseline", "axum"],
    &["--baseline", "floor"],
];

fn ours() -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for framework in ["poem", "warp", "axum"] {
        for serve_loop in ["own", "plain"] {
            for history in ["on", "off"] {
                let args = ["--framework", framework, "--loop", serve_loop];
                all.push([&args[..], &["--history", history]].concat());
            }
        }
    }
    all
}

#[test]
fn all_of_them_broadcast() {
    let ours = ours();
    for args in BASELINES.into_iter().chain(ours.iter().map(|args| &**args)) {
        let server = Server::start(args);
        let deliveries = server.load(&["--events", "40", "--publishers", "4", "--ahead", "5"]);
        assert_eq!(deliveries, 50 * 40, "{args:?}");
    }
}

#[test]
fn ours_know_groups_and_clients() {
    for args in ours() {
        let server = Server::start(&args);
        assert_eq!(server.load(&["--events", "40", "--to", "group"]), 40 * 10);
        assert_eq!(server.load(&["--events", "40", "--to", "client"]), 40);
    }
}

#[test]
fn who_comes_back_gets_what_was_missed() {
    for framework in ["poem", "warp", "axum"] {
        let server = Server::start(&["--framework", framework]);
        let deliveries = server.load(&["--events", "40", "--resume"]);
        assert_eq!(deliveries, 50 * 40, "{framework}");
    }
}

#[test]
fn a_delivery_is_one_write_and_those_that_wait_together_share_one() {
    for args in ours() {
        let server = Server::start(&args);
        let writes = |args: &[&str]| {
            let report = server.report(args);
            report["segments_a_delivery"].as_f64().unwrap()
        };
        // The answers to the publisher are among them: one for 50 deliveries.
        let alone = writes(&["--events", "20", "--rate", "20"]);
        // And two may have left together where the machine was busy.
        assert!((0.9..=1.03).contains(&alone), "{args:?}: {alone}");
        let together = writes(&["--events", "400", "--ahead", "64"]);
        assert!(together < 0.7, "{args:?}: {together}");
    }
}

#[test]
fn many_streams_share_a_connection() {
    for framework in ["poem", "warp", "axum"] {
        let server = Server::start(&["--framework", framework]);
        // So that it listens.
        server.load(&["--events", "1"]);
        let pid = server.process.id().to_string();
        let streams = ["--connections", "3", "--streams", "200"];
        let held = Command::new(PROGRAM)
            .args(["streams", "--port", &server.port, "--pid", &pid])
            .args(streams)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&held.stderr);
        assert!(held.status.success(), "{framework}: {error}");
        let report: Value = serde_json::from_slice(&held.stdout).unwrap();
        assert_eq!(report["streams"], 600);
    }
}
