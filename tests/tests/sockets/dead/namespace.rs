//! A network of its own for clients, whose cable can be pulled.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
};

const NAME: &str = "sse-dead";
const OURS: &str = "sse-dead0";
const THEIRS: &str = "sse-dead1";
/// For benchmarks between networks (RFC 2544): nobody's here.
const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const THEIR_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// A network namespace with a cable to this one; gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Namespace(());

impl Namespace {
    pub(crate) fn new() -> Self {
        // What a test left that was killed.
        let left = Command::new("ip")
            .args(["netns", "del", NAME])
            .stderr(Stdio::null())
            .status();
        left.expect("iproute2 is installed: run `cargo xtask setup`");
        ip(&["netns", "add", NAME]);
        let namespace = Self(());
        ip(&[
            "link", "add", OURS, "type", "veth", "peer", "name", THEIRS, "netns", NAME,
        ]);
        ip(&["addr", "add", &format!("{OUR_ADDRESS}/30"), "dev", OURS]);
        ip(&["link", "set", OURS, "up"]);
        ip(&[
            "-n",
            NAME,
            "addr",
            "add",
            &format!("{THEIR_ADDRESS}/30"),
            "dev",
            THEIRS,
        ]);
        namespace.plug_in();
        namespace
    }

    /// Where a server listens for those in it.
    #[expect(
        clippy::unused_self,
        reason = "there is such an address while it is there"
    )]
    pub(crate) fn our_side(&self) -> SocketAddr {
        (OUR_ADDRESS, 0).into()
    }

    /// Follows all streams that `urls` means to curl.
    #[expect(clippy::unused_self, reason = "it runs in it")]
    pub(crate) fn curl(&self, urls: &str) -> Running {
        let curl = [
            "curl",
            "--silent",
            "--no-buffer",
            "--parallel",
            "--parallel-immediate",
        ];
        let child = Command::new("ip")
            .args(["netns", "exec", NAME])
            .args(curl)
            .args(["--parallel-max", "300", "--output", "/dev/null", urls])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Running(child.unwrap())
    }

    /// Pulls the cable: nothing that is sent arrives, and nobody is told.
    #[expect(clippy::unused_self, reason = "it is its cable")]
    pub(crate) fn unplug(&self) {
        ip(&["-n", NAME, "link", "set", THEIRS, "down"]);
    }

    #[expect(clippy::unused_self, reason = "it is its cable")]
    pub(crate) fn plug_in(&self) {
        ip(&["-n", NAME, "link", "set", THEIRS, "up"]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(Command::new("ip").args(["netns", "del", NAME]).status());
    }
}

/// A process that ends with the test.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).status();
    let done = done.expect("iproute2 is installed: run `cargo xtask setup`");
    assert!(done.success(), "ip {args:?}: is this root?");
}
