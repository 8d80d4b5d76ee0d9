//! npm's `eventsource`, run by Node.

use std::{net::SocketAddr, path::Path, process::Stdio, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{cast::Member, ledger::Ledger};

/// Follows the streams of `members` for ever.
pub(crate) async fn follow(addr: SocketAddr, members: Vec<Member>, ledger: Arc<Ledger>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    assert!(
        folder.join("node_modules").is_dir(),
        "npm's packages aren't installed: run `cargo xtask setup`"
    );
    let url = |member: &Member| format!("http://{addr}{}", member.path());
    let mut node = Command::new("node")
        .arg(folder.join("streams.mjs"))
        .args(members.iter().map(url))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}"));
    let mut lines = BufReader::new(node.stdout.take().expect("it is piped")).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        ledger.got_row(serde_json::from_str(&line).unwrap());
    }
    panic!("node has ended: {:?}", node.wait().await);
}
