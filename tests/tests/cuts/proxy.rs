//! A proxy that cuts the streams that pass through it.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, sink},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::{
    cast::client_at,
    dice::Dice,
    fate::{Cut, Fate, Line},
};

/// How much passes at once on a slow line, at most, and how often.
const PIECE: usize = 256;
const PAUSE: Duration = Duration::from_millis(4);

/// The buffers of the sockets between server and proxy, in bytes.
pub(crate) const SMALL_BUFFER: u32 = 4096;

/// A proxy that ends with the test.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    servers: [SocketAddr; 2],
    seed: u64,
    cutting: watch::Sender<bool>,
    tallies: Mutex<BTreeMap<String, Tally>>,
}

/// What a client went through.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) connections: usize,
    pub(crate) fins: usize,
    pub(crate) resets: usize,
    /// How many of the cuts were inside a replay.
    pub(crate) inside: usize,
}

impl Tally {
    pub(crate) const fn cuts(&self) -> usize {
        self.fins + self.resets
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            connections: sum.connections + tally.connections,
            fins: sum.fins + tally.fins,
            resets: sum.resets + tally.resets,
            inside: sum.inside + tally.inside,
        })
    }
}

impl Proxy {
    /// A proxy that takes each connection to one of `servers`, and cuts none yet.
    pub(crate) async fn start(servers: [SocketAddr; 2], seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            servers,
            seed,
            cutting: watch::Sender::new(false),
            tallies: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                // An error is a peer that went away first.
                tokio::spawn(Arc::clone(&accepting).serve(client));
            }
        });
        Self { addr, shared }
    }

    /// Begins, or ceases, to cut.
    pub(crate) fn cut(&self, on: bool) {
        self.shared.cutting.send_replace(on);
    }

    pub(crate) fn tally(&self, client: &str) -> Tally {
        let tallies = self.shared.tallies.lock();
        tallies.get(client).copied().unwrap_or_default()
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let request = read_request(&mut client).await?;
        let Some(name) = client_in(&request) else {
            // The page, which is to come through.
            let mut server = self.ask(0, &request).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        };
        let nth = self.tell(&name, |tally| {
            tally.connections += 1;
            tally.connections
        });
        let mut dice = Dice::of(self.seed, (&name, nth));
        let mut fate = Fate::new(&mut dice);
        if !*self.cutting.borrow() {
            fate.line = Line::Fast;
        }
        let mut server = self.ask(dice.pick(0..=1), &request).await?;
        let mut passage = Passage {
            fate,
            passed: Vec::new(),
            left: None,
        };
        let cutting = self.cutting.subscribe();
        if passage.run(&mut client, &mut server, cutting).await? == Over::Cut {
            let cut = passage.cut();
            self.tell(&name, |tally| {
                match cut {
                    Cut::Fin => tally.fins += 1,
                    Cut::Rst => tally.resets += 1,
                }
                tally.inside += usize::from(is_inside_a_replay(&passage.passed));
            });
            sever(cut, client, server).await?;
        }
        Ok(())
    }

    /// Passes a request on.
    async fn ask(&self, server: usize, request: &[u8]) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(SMALL_BUFFER)?;
        let mut server = socket.connect(self.servers[server]).await?;
        server.set_nodelay(true)?;
        server.write_all(request).await?;
        Ok(server)
    }

    fn tell<T>(&self, client: &str, tell: impl FnOnce(&mut Tally) -> T) -> T {
        tell(self.tallies.lock().entry(client.to_owned()).or_default())
    }
}

/// A response on its way to a client.
#[derive(Debug)]
struct Passage {
    fate: Fate,
    /// What has passed.
    passed: Vec<u8>,
    /// How much may still pass, once its time is over.
    left: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Over {
    Cut,
    /// Client or server closed.
    Closed,
}

impl Passage {
    async fn run(
        &mut self,
        client: &mut TcpStream,
        server: &mut TcpStream,
        cutting: watch::Receiver<bool>,
    ) -> io::Result<Over> {
        if self.fate.line == Line::Stalled {
            sleep(self.fate.time).await;
            self.left = Some(self.fate.bytes);
        }
        let mut time_is_over = std::pin::pin!(time_is_over(cutting, self.fate.time));
        let (mut from_client, mut to_client) = client.split();
        let (mut buffer, mut nothing) = ([0; 16 * 1024], [0; 1]);
        while self.left != Some(0) {
            let most = self.at_once().min(buffer.len());
            tokio::select! {
                () = &mut time_is_over, if self.left.is_none() => {
                    self.left = Some(self.fate.bytes);
                }
                read = server.read(&mut buffer[..most]) => {
                    let len = read?;
                    if len == 0 {
                        return Ok(Over::Closed);
                    }
                    to_client.write_all(&buffer[..len]).await?;
                    self.note(&buffer[..len]);
                    if self.fate.line == Line::Slow {
                        sleep(PAUSE).await;
                    }
                }
                // It has left; or the stream has ended, and it asks for the next on the same
                // connection: then it is to ask on another, since the proxy reads one request of each.
                end = from_client.read(&mut nothing) => {
                    end?;
                    return Ok(Over::Closed);
                }
            }
        }
        Ok(Over::Cut)
    }

    fn at_once(&self) -> usize {
        let line = match self.fate.line {
            Line::Slow => PIECE,
            Line::Fast | Line::Stalled => usize::MAX,
        };
        self.left.map_or(line, |left| line.min(left))
    }

    fn note(&mut self, bytes: &[u8]) {
        self.passed.extend_from_slice(bytes);
        self.left = self.left.map(|left| left - bytes.len());
    }

    /// How it is cut. A browser takes half a head for a whole one where a FIN ends it, and gives
    /// up for good on a response without a type: inside the head there are only resets.
    fn cut(&self) -> Cut {
        if find(&self.passed, b"\r\n\r\n").is_some() {
            self.fate.cut
        } else {
            Cut::Rst
        }
    }
}

/// Ready once `time` has passed while cutting is on all along.
async fn time_is_over(mut cutting: watch::Receiver<bool>, time: Duration) {
    // Its sender lives as long as the proxy: there are no errors to wait for.
    while cutting.wait_for(|on| *on).await.is_ok() {
        tokio::select! {
            () = sleep(time) => return,
            _ = cutting.wait_for(|on| !on) => {}
        }
    }
}

async fn sever(cut: Cut, client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    match cut {
        Cut::Rst => {
            client.set_zero_linger()?;
            server.set_zero_linger()
        }
        Cut::Fin => {
            drop(client);
            server.shutdown().await?;
            // A close over unread bytes would be a reset: what still comes is read.
            copy(&mut server, &mut sink()).await.map(drop)
        }
    }
}

async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while find(&request, b"\r\n\r\n").is_none() {
        if client.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}

/// Whose stream a request asks for; none if it asks for something else.
fn client_in(request: &[u8]) -> Option<String> {
    let path = request.strip_prefix(b"GET ")?;
    client_at(std::str::from_utf8(path).ok()?).map(str::to_owned)
}

/// Whether what has passed of a response ends between the opening of a replay and the end of its
/// `caught-up`.
fn is_inside_a_replay(passed: &[u8]) -> bool {
    let Some(opening) = find(passed, br#""resume":"replaying""#) else {
        return false;
    };
    let after = &passed[opening..];
    let Some(caught_up) = find(after, b"event: caught-up") else {
        return true;
    };
    find(&after[caught_up..], b"\n\n").is_none()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
