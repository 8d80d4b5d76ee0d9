use std::io;

use tokio::sync::watch;

/// How often the process has been told to end, by SIGINT (Ctrl-C) or SIGTERM (elsewhere than on Unix
/// by Ctrl-C alone). Needs the feature `signal`.
///
/// The first time is the time to drain, the second to end at once. `drain` here is what ends the
/// streams: a hub's `shutdown`.
///
/// ```no_run
/// # async fn run(
/// #     service: impl hyper::service::Service<
/// #         http::Request<hyper::body::Incoming>,
/// #         Response = http::Response<http_body_util::Full<bytes::Bytes>>,
/// #         Error = std::convert::Infallible,
/// #         Future: Send,
/// #     > + Clone + Send + 'static,
/// #     drain: impl Future<Output = ()> + Send,
/// # ) -> std::io::Result<()> {
/// use sse_net::{Interrupts, Server};
///
/// let server = Server::bind(([127, 0, 0, 1], 8080).into())?;
/// let interrupts = Interrupts::listen()?;
/// let (mut once, mut twice) = (interrupts.clone(), interrupts);
/// let end = async move {
///     once.reach(1).await;
///     drain.await;
/// };
/// tokio::select! {
///     _stopped = server.serve_until(service, end) => {}
///     () = twice.reach(2) => {}
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Listens from now on; the process doesn't end by such a signal any more.
    ///
    /// # Errors
    ///
    /// The system doesn't allow it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (told, times) = watch::channel(0);
        tokio::spawn(async move {
            while signals.next().await {
                told.send_modify(|times| *times += 1);
            }
        });
        Ok(Self(times))
    }

    /// Waits until it has been told so often.
    ///
    /// Cancel safe.
    pub async fn reach(&mut self, times: u32) {
        if self.0.wait_for(|so_far| *so_far >= times).await.is_err() {
            // Nobody listens any more: it never will be.
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> bool {
        let signal = tokio::select! {
            signal = self.interrupt.recv() => signal,
            signal = self.terminate.recv() => signal,
        };
        signal.is_some()
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
