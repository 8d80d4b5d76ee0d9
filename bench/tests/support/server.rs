//! The program that is tested: its servers, and its load.

use std::{net::TcpListener, process::Command};

use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sse-bench");

pub(crate) fn free_port() -> String {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    free.local_addr().unwrap().port().to_string()
}

/// Loads the server of this process on this port; what came of it.
pub(crate) fn load(port: &str, process: u32, args: &[&str]) -> Value {
    let loaded = Command::new(PROGRAM)
        .args(["load", "--port", port, "--pid", &process.to_string()])
        .args(args)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&loaded.stderr);
    assert!(loaded.status.success(), "{args:?}: {error}");
    serde_json::from_slice(&loaded.stdout).unwrap()
}
