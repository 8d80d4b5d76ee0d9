use std::{
    error::Error,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream as StdStream},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::{Domain, Socket, Type};

use super::{
    Args, PORTS, To,
    publisher::Publisher,
    stream::{Malformed, Reader},
    tally::{Expected, Tally},
};

/// How many streams are in one group.
const GROUP: usize = 10;

/// How long nothing may come before what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The sockets, and the one loop over them.
pub(super) struct Driver {
    args: Args,
    server: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    streams: Vec<Stream>,
    open: usize,
    publishers: Vec<Publisher>,
    /// How many deliveries there are to be in all.
    expected: u64,
    /// How many events each channel has had: a publisher, a group or a client.
    sent: Vec<u64>,
    random: u64,
    pub(super) tally: Tally,
    last_position: Option<String>,
}

struct Stream {
    socket: TcpStream,
    reader: Reader,
    /// What is left to be written of the request.
    request: Vec<u8>,
    expected: Expected,
}

impl Driver {
    pub(super) fn new(server: SocketAddr, args: Args) -> io::Result<Self> {
        let channels = match args.to {
            To::Everybody => args.publishers,
            To::Group => args.connections.div_ceil(GROUP),
            To::Client => args.connections,
        };
        Ok(Self {
            server,
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            buffer: vec![0; 64 * 1024],
            streams: Vec::with_capacity(args.connections),
            open: 0,
            publishers: Vec::new(),
            expected: 0,
            sent: vec![0; channels],
            random: 0x9e37_79b9_7f4a_7c15,
            tally: Tally::new(),
            last_position: None,
            args,
        })
    }

    /// Waits until the server listens.
    pub(super) fn wait_for_server(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match StdStream::connect(self.server) {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Opens a stream for its position, which those that come back name.
    pub(super) fn note_position(&mut self) -> Result<(), Box<dyn Error>> {
        self.open(1)?;
        self.wait(|driver| driver.tally.position.is_some(), "a position")?;
        self.last_position = self.tally.position.take();
        self.streams.clear();
        self.open = 0;
        Ok(())
    }

    /// Opens so many streams, and waits for the first byte of each.
    pub(super) fn open(&mut self, count: usize) -> Result<(), Box<dyn Error>> {
        while self.open < count {
            while self.streams.len() < count && self.streams.len() < self.open + self.args.opening {
                self.connect()?;
            }
            let before = self.open;
            self.wait(|driver| driver.open > before, "a stream that opens")?;
        }
        if self.last_position.is_some() {
            self.expected += (self.args.events * count) as u64;
        }
        for number in 0..self.stalled() {
            let socket = &mut self.streams[number].socket;
            self.poll.registry().deregister(socket)?;
        }
        Ok(())
    }

    /// How many streams are never read: the first.
    fn stalled(&self) -> usize {
        self.streams.len() * self.args.stalled_percent / 100
    }

    fn connect(&mut self) -> io::Result<()> {
        let number = self.streams.len();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if number < self.args.connections * self.args.stalled_percent / 100 {
            socket.set_recv_buffer_size(4096)?;
        }
        socket.bind(&SocketAddr::from((source(number), 0)).into())?;
        match socket.connect(&self.server.into()) {
            Ok(()) => {}
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        let mut socket = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut socket, Token(number), interest)?;
        let last = self.last_position.as_ref();
        let last = last.map_or(String::new(), |last| format!("last-event-id: {last}\r\n"));
        let group = number / GROUP;
        let request = format!(
            "GET /events?client=c{number}&group=g{group} HTTP/1.1\r\nhost: localhost\r\n\
             accept: text/event-stream\r\n{last}\r\n"
        );
        let channels = if self.args.to == To::Everybody {
            self.args.publishers
        } else {
            1
        };
        self.streams.push(Stream {
            socket,
            reader: Reader::default(),
            request: request.into_bytes(),
            expected: vec![0; channels].into(),
        });
        Ok(())
    }

    /// Publishes so many events, and waits until each is where it is to be.
    pub(super) fn publish(
        &mut self,
        events: usize,
        rate: Option<f64>,
    ) -> Result<(), Box<dyn Error>> {
        while self.publishers.len() < self.args.publishers {
            let mut publisher = Publisher::connect(self.server, self.args.ahead)?;
            let token = Token(usize::MAX / 2 + self.publishers.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut publisher.socket, token, interest)?;
            self.publishers.push(publisher);
        }
        let start = Instant::now();
        let due = |number: usize| {
            rate.map_or(start, |rate| {
                start + Duration::from_secs_f64(number as f64 / rate)
            })
        };
        let mut number = 0;
        while number < events {
            let now = Instant::now();
            for at in 0..self.publishers.len() {
                while number < events && self.publishers[at].has_room() && due(number) <= now {
                    self.publish_one(at, number)?;
                    number += 1;
                }
            }
            let room = self.publishers.iter().any(Publisher::has_room);
            let until = if room && number < events {
                due(number)
            } else {
                now + PATIENCE
            };
            self.turn(until.saturating_duration_since(Instant::now()))?;
        }
        self.wait(
            |driver| driver.publishers.iter().all(Publisher::is_idle),
            "an answer",
        )?;
        self.receive()
    }

    fn publish_one(&mut self, at: usize, number: usize) -> io::Result<()> {
        let readers = self.streams.len() - self.stalled();
        let (channel, in_data, query, reached) = match self.args.to {
            To::Everybody => (at, at, String::new(), readers),
            To::Group => {
                let group = number % self.sent.len();
                let members = GROUP.min(self.streams.len() - group * GROUP);
                (group, 0, format!("?group=g{group}"), members)
            }
            To::Client => {
                let client = self.any(self.sent.len());
                (client, 0, format!("?client=c{client}"), 1)
            }
        };
        let data = self.tally.data(in_data, self.sent[channel], self.args.size);
        self.sent[channel] += 1;
        self.expected += reached as u64;
        self.publishers[at].publish(&query, &data)
    }

    /// A number below `end` (xorshift64).
    fn any(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % end as u64) as usize
    }

    /// Waits for all deliveries.
    pub(super) fn receive(&mut self) -> Result<(), Box<dyn Error>> {
        self.wait(
            |driver| driver.tally.received >= driver.expected,
            "a delivery",
        )
    }

    /// Goes on until `done`; an error once nothing has come for long.
    fn wait(&mut self, done: impl Fn(&Self) -> bool, what: &str) -> Result<(), Box<dyn Error>> {
        let (mut since, mut before) = (Instant::now(), (0, 0));
        while !done(self) {
            self.turn(Duration::from_millis(100))?;
            let now = (self.tally.received, self.open);
            if now != before {
                (since, before) = (Instant::now(), now);
            }
            if since.elapsed() > PATIENCE {
                let (received, expected) = (self.tally.received, self.expected);
                return Err(format!("no {what} comes; {received} deliveries of {expected}").into());
            }
        }
        Ok(())
    }

    /// Waits for sockets for at most `time`, and serves those that are ready.
    fn turn(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        self.poll.poll(&mut self.events, Some(time))?;
        let tokens: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for token in tokens {
            match self.publishers.get_mut(token.wrapping_sub(usize::MAX / 2)) {
                Some(publisher) if token >= usize::MAX / 2 => publisher.go_on()?,
                _ => self
                    .read(token)
                    .map_err(|error| format!("stream {token}: {error}"))?,
            }
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> io::Result<()> {
        // One that was given up may still be told of.
        let Some(stream) = self.streams.get_mut(number) else {
            return Ok(());
        };
        let was_open = stream.reader.is_open();
        stream.request()?;
        loop {
            let len = match stream.socket.read(&mut self.buffer) {
                Ok(0) => return Err(io::Error::other("it was cut")),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                Err(error) => return Err(error),
            };
            let (now, tally, expected) = (Instant::now(), &mut self.tally, &mut stream.expected);
            let mut take = |line: &[u8]| tally.line(line, now, expected);
            let read = stream.reader.push(&self.buffer[..len], &mut take);
            read.map_err(|Malformed| {
                let text = String::from_utf8_lossy(&self.buffer[..len]).into_owned();
                io::Error::other(format!("lost, doubled, out of order or no stream: {text}"))
            })?;
        }
        self.open += usize::from(!was_open && stream.reader.is_open());
        Ok(())
    }
}

/// The address that a stream comes from. Where many ports of one are taken, also by what ended lately,
/// the system looks long for a free one: there are few of each, and other addresses each time.
fn source(number: usize) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    let nth = u8::try_from(number / PORTS).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, high, low, nth.saturating_add(1))
}

impl Stream {
    /// Writes what is left of the request.
    fn request(&mut self) -> io::Result<()> {
        while !self.request.is_empty() {
            match self.socket.write(&self.request) {
                Ok(len) => drop(self.request.drain(..len)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
