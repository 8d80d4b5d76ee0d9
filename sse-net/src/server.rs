use std::{
    convert::Infallible, error::Error, fmt, io, net::SocketAddr, pin::pin, sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::{
    net::TcpListener,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    SocketInfo, Stopped,
    accept::{Accept, Accepted},
    connection::{self, Http},
    connections::{Connections, Control},
    listen,
    per_connection::PerConnection,
    write_timeout::WriteTimeout,
};

/// What hyper's HTTP/1 can't do with less.
const LEAST_BUFFER: usize = 8 * 1024;

/// What hyper takes of a stream's body over HTTP/2 before the client has taken it. By default it
/// would be 400 KiB, and a client with many streams that reads none could have it all held.
const HTTP_2_BUFFER: usize = 16 * 1024;

/// How often is looked for connections that take nothing.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// As good as for ever; more can't be added to the present time everywhere.
const AGES: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Serves HTTP/1 and HTTP/2 on one port, tuned for event streams: any
/// [hyper service](hyper::service::Service), which each adapter makes of its framework's own.
///
/// A connection that its client closes ends at once, whether something is being sent or not; only
/// where bytes that the client sent behind its request lie unread (a second request, or the rest of
/// a body that nobody reads, where it is more than one read takes) does it take the next write to
/// notice. A client that only half-closes counts as gone. Each request has a [`SocketInfo`] among its extensions.
///
/// Each connection is a task. A panic in the service costs the connection that it happens on (over
/// HTTP/2 its stream). Where the system has no descriptors or memory left for another connection,
/// the server waits 50 ms, and up to a second if that goes on, before it tries again.
///
/// ```no_run
/// use std::{convert::Infallible, net::Ipv4Addr};
///
/// use http_body_util::Full;
/// use hyper::{
///     Request, Response,
///     body::{Bytes, Incoming},
///     service::service_fn,
/// };
/// use sse_net::Server;
///
/// # async fn run() -> std::io::Result<()> {
/// let service = service_fn(async |_: Request<Incoming>| {
///     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
/// });
/// let server = Server::bind((Ipv4Addr::LOCALHOST, 8080).into())?;
/// let interrupted = async { drop(tokio::signal::ctrl_c().await) };
/// let stopped = server.serve_until(service, interrupted).await;
/// assert_eq!(stopped.cut_off, 0);
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it serves"]
pub struct Server {
    listener: TcpListener,
    http: Http,
    header_read_timeout: Option<Duration>,
    reap_after: Duration,
    shutdown_grace: Duration,
    #[cfg(feature = "tls")]
    tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
}

impl Server {
    /// Serves what `listener` accepts, with the defaults. [`listen`] makes a tuned one.
    pub fn new(listener: TcpListener) -> Self {
        let mut http = Http::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).writev(false);
        http.http2()
            .timer(TokioTimer::new())
            .max_send_buf_size(HTTP_2_BUFFER);
        let seconds = Duration::from_secs;
        Self {
            listener,
            http,
            header_read_timeout: None,
            reap_after: seconds(90),
            shutdown_grace: seconds(10),
            #[cfg(feature = "tls")]
            tls: None,
        }
        .header_read_timeout(seconds(10))
        .keep_alive_ping(seconds(20), seconds(20))
        .max_concurrent_streams(256)
        .max_buffer_size(LEAST_BUFFER)
    }

    /// Listens on `addr`, tuned as by [`listen`], with the defaults.
    ///
    /// # Errors
    ///
    /// Those of [`listen`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as [`listen`].
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        listen(addr).map(Self::new)
    }

    /// The address that it listens on: with the port that the system chose, if it was left to it.
    ///
    /// # Errors
    ///
    /// The system doesn't say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How long a client may take from connecting until its first bytes tell HTTP/1 from HTTP/2,
    /// the TLS handshake included; then, over HTTP/1, for the head of each request, which counts
    /// from the end of the response before it: so it is also how long a connection is kept alive
    /// that asks for nothing. 10 s by default; `None` waits for ever.
    pub fn header_read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.header_read_timeout = timeout.into().filter(|timeout| *timeout < AGES);
        let timeout = self.header_read_timeout;
        self.http.http1().header_read_timeout(timeout);
        self
    }

    /// How long a client may take nothing of what is sent to it before its connection is ended: as
    /// long as `HubConfig::reap_after` of the hub whose streams it serves, by default 90 s; `None`
    /// waits for ever.
    ///
    /// That is a connection on which a write waits for so long; or one, over HTTP/2, none of whose
    /// streams of events is taken any further for so long, or one of whose isn't for twice as long,
    /// give or take 5 s. Until then the server holds of each such stream what waits in its queue, one
    /// piece of up to 8,000 bytes or one larger event, and what the kernel holds of the connection.
    pub fn reap_after(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.reap_after = timeout.into().map_or(AGES, |timeout| timeout.min(AGES));
        self
    }

    /// How often an HTTP/2 client from which nothing comes is pinged, and how long it may take to
    /// answer before its connection is closed. Every 20 s and 20 s by default; `None` never pings.
    ///
    /// HTTP/1 has no ping: a peer that vanished shows when something is written to it.
    pub fn keep_alive_ping(
        mut self,
        interval: impl Into<Option<Duration>>,
        timeout: Duration,
    ) -> Self {
        let mut http2 = self.http.http2();
        http2.keep_alive_interval(interval.into().filter(|interval| *interval < AGES));
        http2.keep_alive_timeout(timeout.min(AGES));
        self
    }

    /// How many requests an HTTP/2 client may have under way on one connection; each open stream
    /// of events is one. 256 by default.
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.http.http2().max_concurrent_streams(streams);
        self
    }

    /// How many bytes an HTTP/1 connection buffers of what it reads, and of what it writes before
    /// the body has to wait (over HTTP/2 that is 16 KiB a stream); what it writes is copied there, up to
    /// 8,000 bytes more. It also bounds a request's head:
    /// a larger one is answered with 431. 8 KiB by default, which is the least: less counts as
    /// 8 KiB.
    pub fn max_buffer_size(mut self, bytes: usize) -> Self {
        self.http.http1().max_buf_size(bytes.max(LEAST_BUFFER));
        self
    }

    /// How long [`serve_until`](Self::serve_until) waits for connections to finish. 10 s by
    /// default.
    pub const fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Speaks TLS, and nothing else. Where `config` names no protocols for ALPN, `h2` and
    /// `http/1.1` are offered.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: Arc<tokio_rustls::rustls::ServerConfig>) -> Self {
        self.tls = Some(crate::tls::with_protocols(config));
        self
    }

    /// Serves for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener and cuts off every connection but upgraded ones.
    pub async fn serve<S, B>(self, service: S) -> Infallible
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.run(service, std::future::pending()).await.0
    }

    /// Serves until `stop` is ready; then no more connections are accepted, and those that are
    /// open are told to finish: HTTP/1 closes after the response in flight, HTTP/2 says GOAWAY and
    /// closes after the last one. What hasn't finished after the
    /// [grace period](Self::shutdown_grace) is cut off, such as a stream of events that nobody
    /// ends: when this returns no connection is left. Those that were upgraded (to a WebSocket,
    /// say) are whose that upgraded them, and not waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener and cuts off every connection but upgraded ones.
    pub async fn serve_until<S, B>(
        self,
        service: S,
        stop: impl Future<Output = ()> + Send,
    ) -> Stopped
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.run(service, stop).await.1
    }

    async fn run<S, B, T>(self, service: S, stop: impl Future<Output = T> + Send) -> (T, Stopped)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
        T: Send,
    {
        let mut accept = Accept::new(self.listener);
        let mut connections = Connections::new();
        let http = Arc::new(self.http);
        let mut looks = interval((self.reap_after / 8).clamp(SHORTEST_LOOK, LONGEST_LOOK));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = pin!(stop);
        let stopped_by = loop {
            let Accepted {
                stream,
                peer,
                local,
            } = tokio::select! {
                biased;
                stopped_by = &mut stop => break stopped_by,
                () = connections.ended() => continue,
                _ = looks.tick() => {
                    connections.cut_stalled(self.reap_after);
                    continue;
                }
                accepted = accept.next() => accepted,
            };
            let deadline = self.header_read_timeout.map(|limit| Instant::now() + limit);
            let http = Arc::clone(&http);
            let stream = WriteTimeout::new(stream, self.reap_after);
            let control = Arc::<Control>::default();
            let service = |tls| PerConnection {
                service: service.clone(),
                socket: SocketInfo::new(peer, local).with_tls(tls),
                control: Arc::clone(&control),
            };
            #[cfg(feature = "tls")]
            if let Some(config) = &self.tls {
                let (config, service) = (Arc::clone(config), service(true));
                connections.spawn(control, async move |mut finish| {
                    let stream = crate::tls::handshake(config, stream, deadline, &mut finish);
                    if let Some(stream) = stream.await {
                        connection::serve(http, stream, service, deadline, finish).await;
                    }
                });
                continue;
            }
            let service = service(false);
            connections.spawn(control, |finish| {
                connection::serve(http, stream, service, deadline, finish)
            });
        };
        drop(accept);
        let cut_off = connections.finish(self.shutdown_grace).await;
        (stopped_by, Stopped { cut_off })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("header_read_timeout", &self.header_read_timeout)
            .field("reap_after", &self.reap_after)
            .field("shutdown_grace", &self.shutdown_grace)
            .finish_non_exhaustive()
    }
}
