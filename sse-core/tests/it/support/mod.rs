//! What the tests share: a reader that takes events apart, a clock that is moved by hand, and sinks
//! that hold things up.

mod fakes;
pub(crate) mod log;
pub(crate) mod resuming;

use std::{
    fmt::{self, Debug},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use sse_core::{Clock, ConnectionHandle, Event, EventBody, GroupName, Hub, ManualClock, Subscribe};

pub(crate) use fakes::{Gate, Keeper, Notebook, Silent};

/// Ends a test that would hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    let done = tokio::time::timeout(limit, future).await;
    done.expect("it never happened")
}

/// Lets every other task run that can.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// Waits for what other tasks bring about.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came about");
}

pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Moves `clock` on, from one moment to the next at which somebody sleeps, and lets whoever was
/// woken run until all sleep again.
pub(crate) async fn pass(clock: &ManualClock, time: Duration) {
    let end = clock.now() + time;
    rest(clock).await;
    while clock.now() < end {
        let next = clock.next_deadline().unwrap_or(end).min(end);
        clock.advance(next - clock.now());
        rest(clock).await;
    }
}

async fn rest(clock: &ManualClock) {
    for _ in 0..64 {
        tokio::task::yield_now().await;
        if clock.next_deadline().is_some_and(|next| next > clock.now()) {
            return;
        }
    }
}

/// An event, read back.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) name: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

impl Seen {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).expect("JSON")
    }
}

/// `data` of an unnamed event, otherwise `name data`; of `connected` and `heartbeat` the name.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_deref() {
            None => f.write_str(&self.data),
            Some(name @ ("connected" | "heartbeat")) => f.write_str(name),
            Some(name) => write!(f, "{name} {}", self.data),
        }
    }
}

impl Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes whole events apart; what isn't whole is an error.
pub(crate) fn parse(piece: &[u8]) -> Vec<Seen> {
    let text = std::str::from_utf8(piece).expect("UTF-8");
    // Where the opening event is off, a blank line is the first byte.
    let text = text.strip_prefix('\n').unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    let events = text.strip_suffix("\n\n").expect("whole events");
    events.split("\n\n").map(parse_one).collect()
}

fn parse_one(lines: &str) -> Seen {
    let (mut seen, mut data) = (Seen::default(), Vec::new());
    for line in lines.lines() {
        let (field, value) = line.split_once(": ").expect("a field");
        match field {
            "event" => seen.name = Some(value.to_owned()),
            "id" => seen.id = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
    }
    seen.data = data.join("\n");
    seen
}

/// Reads a stream, as far as it has come, whenever it is asked to.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) handle: ConnectionHandle,
    body: EventBody,
    pub(crate) ended: bool,
}

impl Reader {
    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Poll::Ready(next) = self.poll_piece(&mut Context::from_waker(Waker::noop())) {
            match next {
                Some(mut events) => seen.append(&mut events),
                None => break,
            }
        }
        seen
    }

    pub(crate) fn read(&mut self) -> Vec<String> {
        self.seen().iter().map(ToString::to_string).collect()
    }

    /// The events of the next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Vec<Seen>> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Seen>>> {
        let next = futures_util::Stream::poll_next(Pin::new(&mut self.body), cx);
        next.map(|piece| {
            self.ended = piece.is_none();
            piece.map(|Ok(bytes)| parse(&bytes))
        })
    }
}

pub(crate) fn subscribe(client: &str, groups: &[&str]) -> Subscribe {
    let subscribe = Subscribe::client_id(client).expect("a name");
    let groups = groups.iter().map(|name| group(name));
    groups.fold(subscribe, Subscribe::group)
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a name")
}

/// A connection whose body nobody has read.
pub(crate) async fn unread(hub: &Hub, subscribe: Subscribe) -> Reader {
    let subscription = hub.subscribe(subscribe).await.expect("a stream");
    Reader {
        handle: subscription.handle(),
        body: subscription.into_body(),
        ended: false,
    }
}

/// A connection that has read its opening event.
pub(crate) async fn open(hub: &Hub, client: &str, groups: &[&str]) -> Reader {
    let mut reader = unread(hub, subscribe(client, groups)).await;
    assert_eq!(reader.read(), ["connected"]);
    reader
}

pub(crate) fn text(data: impl Into<String>) -> Event {
    Event::text(data).build().expect("an event")
}

/// Counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Panics without a message on the terminal.
pub(crate) fn panic_quietly() -> ! {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() != Some("on purpose") {
                loud(info);
            }
        }));
    });
    panic!("on purpose")
}
