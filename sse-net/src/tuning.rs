use std::{io, time::Duration};

use socket2::{Socket, TcpKeepalive};

/// How the sockets of a server are tuned: set on the listening one, which accepted ones inherit on
/// Linux. What another system doesn't have is left out there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tuning {
    /// After how long the kernel drops a peer that takes nothing, or answers nothing
    /// (`TCP_USER_TIMEOUT`; RFC 5482): as long as the hub's `reap_after`, 90 s by default. `None`
    /// leaves it to the system, which takes about a quarter of an hour.
    pub user_timeout: Option<Duration>,
    /// Probes of a peer on a connection on which nothing is sent; by default after 30 s, every 10 s.
    /// `None` for none.
    pub keep_alive: Option<KeepAlive>,
    /// How many bytes the kernel holds that it couldn't send yet (`TCP_NOTSENT_LOWAT`); 16 KiB by
    /// default. It costs a reader that keeps up nothing, and of one that doesn't the hub knows that
    /// much earlier: about 50 KiB are held for it, rather than 4 MiB (`docs/evidence/tuning.md`). `None`
    /// for as much as fits the send buffer.
    pub unsent: Option<u32>,
    /// How many bytes the kernel holds of what was sent and isn't acknowledged (`SO_SNDBUF`, of which
    /// Linux takes twice as much): the most that a connection has under way, so that it gets no more
    /// than this a round trip. `None` by default: the system adapts it, up to 4 MiB on Linux.
    pub send_buffer: Option<u32>,
}

/// When a peer is probed from which nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// After how long without anything.
    pub idle: Duration,
    /// How long after the last probe.
    pub interval: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            user_timeout: Some(seconds(90)),
            keep_alive: Some(KeepAlive {
                idle: seconds(30),
                interval: seconds(10),
            }),
            unsent: Some(16 * 1024),
            send_buffer: None,
        }
    }
}

impl Tuning {
    /// The default, for a hub that reaps after `timeout`.
    #[must_use]
    pub fn for_reap_after(timeout: Duration) -> Self {
        Self {
            user_timeout: Some(timeout),
            ..Self::default()
        }
    }

    /// Sets all of it.
    pub(crate) fn set_on(&self, socket: &Socket) -> io::Result<()> {
        if let Some(KeepAlive { idle, interval }) = self.keep_alive {
            let keep_alive = TcpKeepalive::new().with_time(idle);
            #[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_os = "redox")))]
            let keep_alive = keep_alive.with_interval(interval);
            socket.set_tcp_keepalive(&keep_alive)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes as usize)?;
        }
        #[cfg(any(target_os = "android", target_os = "linux"))]
        {
            if let Some(bytes) = self.unsent {
                socket.set_tcp_notsent_lowat(bytes)?;
            }
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        Ok(())
    }
}
