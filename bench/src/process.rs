//! What the system says of a process.

use std::{fs, io, process::Command, time::Duration};

/// Processor time that all its threads have taken.
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end meanwhile.
        let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let on_cpu = times.split_whitespace().next();
        nanos += on_cpu
            .and_then(|nanos| nanos.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// Bytes of memory that are resident, now and at the most.
pub(crate) fn memory(pid: u32) -> io::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    };
    Ok((field("VmRSS:"), field("VmHWM:")))
}

/// Segments with data that the sockets of a local port have sent so far (`ss`, of iproute2).
pub(crate) fn segments(port: u16) -> io::Result<u64> {
    let filter = format!("sport = :{port}");
    let sockets = Command::new("ss").args(["-tinH", &filter]).output()?;
    let sockets = String::from_utf8_lossy(&sockets.stdout).into_owned();
    let sent = sockets
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("data_segs_out:")?.parse::<u64>().ok());
    Ok(sent.sum())
}

/// Lets this process open as many descriptors as it may.
pub(crate) fn raise_descriptors() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, most)?)
}
