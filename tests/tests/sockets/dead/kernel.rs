//! What the kernel says.

use std::{fs, net::SocketAddr, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// How many sockets this process has open.
pub(crate) fn sockets() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let links = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// The server's sockets at `addr` that are connected or on their way to their end, and how many bytes
/// the kernel holds for the peer of each.
pub(crate) fn sockets_of(addr: SocketAddr) -> Vec<u64> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", addr.port());
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect());
    let rows = lines.filter(|row: &Vec<_>| row[1].ends_with(&port) && !is_over(row[3]));
    let held = rows.map(|row| row[4].split_once(':').unwrap().0.to_owned());
    held.map(|bytes| u64::from_str_radix(&bytes, 16).unwrap())
        .collect()
}

/// How long this process has been computing.
pub(crate) fn computed() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Listening, or only remembered (`TIME_WAIT`): include/net/tcp_states.h.
fn is_over(state: &str) -> bool {
    matches!(state, "0A" | "06" | "07")
}
