use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    time::Duration,
};

use sse_core::{Drain, Drained, Hub};
use sse_net::{Interrupts, Server, Tuning};

use crate::say;

/// How long the last of the streams may take to be read to its end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Ready once the process has been told to end and the streams have ended.
pub type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a server listens, and how it ends: part of each example's command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Serving {
    /// The address to listen on.
    #[arg(long, env = "SSE_LISTEN", default_value = "127.0.0.1")]
    pub listen: IpAddr,

    /// The port to listen on; 0 for any that is free.
    #[arg(long, env = "SSE_PORT", default_value_t = 8080)]
    pub port: u16,

    /// Over how long streams are ended when the server is told to end (by SIGINT or SIGTERM), so
    /// that clients don't all come back at once.
    #[arg(long, env = "SSE_DRAIN", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
}

impl Serving {
    /// Binds the address and says where the page is.
    ///
    /// # Errors
    ///
    /// In words for whoever started the program.
    pub fn bind(&self, reap_after: Duration) -> Result<Server, String> {
        let address = SocketAddr::new(self.listen, self.port);
        let server = bind(address, "--port", reap_after)?;
        let local = server.local_addr().map_err(|error| error.to_string())?;
        say(format!(
            "The page is at http://{local}/ (Ctrl-C stops the server)"
        ));
        Ok(server)
    }

    /// Runs what `serve` makes of the end of the streams of `hub`.
    ///
    /// # Errors
    ///
    /// It was told twice, and ended at once.
    pub async fn run<F: Future>(
        &self,
        hub: &Hub,
        serve: impl FnOnce(End) -> F,
    ) -> Result<(), String> {
        self.run_after(hub, std::future::ready(()), serve).await
    }

    /// The same, where `first` is done before streams end: what publishes is stopped, say, so that nobody
    /// misses it who has gone.
    ///
    /// # Errors
    ///
    /// It was told twice, and ended at once.
    pub async fn run_after<F: Future>(
        &self,
        hub: &Hub,
        first: impl Future<Output = ()> + Send + 'static,
        serve: impl FnOnce(End) -> F,
    ) -> Result<(), String> {
        let interrupts = Interrupts::listen().map_err(|error| error.to_string())?;
        let (mut once, mut twice) = (interrupts.clone(), interrupts);
        let (hub, over) = (hub.clone(), self.drain);
        let end = async move {
            once.reach(1).await;
            first.await;
            let over_text = humantime::format_duration(over);
            say(format!(
                "Streams end over {over_text}; once more to end at once"
            ));
            let drain = Drain {
                over,
                deadline: over.saturating_add(LAST_WORDS),
                ..Drain::default()
            };
            let Drained { clean, cut, .. } = hub.shutdown(drain).await;
            say(format!(
                "Streams read to their end: {clean}; cut off: {cut}"
            ));
        };
        tokio::select! {
            _ = serve(Box::pin(end)) => Ok(()),
            () = twice.reach(2) => Err("ended at once".to_owned()),
        }
    }
}

/// Listens, on sockets that are tuned for event streams; `flag` is what chooses another port.
///
/// # Errors
///
/// In words for whoever started the program.
pub fn bind(address: SocketAddr, flag: &str, reap_after: Duration) -> Result<Server, String> {
    let listener = sse_net::listen_with(address, Tuning::for_reap_after(reap_after));
    let listener = listener.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let (ip, port) = (address.ip(), address.port());
            format!("port {port} is taken on {ip}: choose another with {flag}")
        }
        _ => format!("can't listen on {address}: {error}"),
    })?;
    // What is left after the streams is an answer under way.
    let server = Server::new(listener).shutdown_grace(Duration::from_millis(250));
    Ok(server.reap_after(reap_after))
}
