use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::Version;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use sse_conformance::EventStream;
use sse_core::Hub;
use tokio::{sync::mpsc, time::sleep};

use super::Fault::{self, *};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How long something is held that is to leave within a second.
pub(super) const HELD: Duration = Duration::from_millis(1500);

/// A body that goes on as `inner`, but for the fault.
pub(super) fn faulty(
    inner: sse_core::StreamBody,
    hub: Hub,
    version: Version,
    fault: Fault,
) -> Body {
    let reading = Reading {
        source: match fault {
            KeepsIdleStreams | KeepsBusyStreams => Source::Task(spawn(inner, fault)),
            ReadsAhead if version != Version::HTTP_2 => Source::Task(spawn(inner, fault)),
            ReadsAheadOverHttp2 if version == Version::HTTP_2 => Source::Task(spawn(inner, fault)),
            _ => Source::Body(inner),
        },
        hub,
        version,
        fault,
        pieces: 0,
        stream: EventStream::new(),
        held: None,
    };
    let pieces = stream::unfold(reading, |mut reading| async {
        let piece = reading.next().await?;
        Some((piece.map(Frame::data), reading))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Has a task of its own read the body, which nobody tells that the client is gone; or which, for
/// [`ReadsAhead`] and the like, reads whether there is room or not.
fn spawn(mut inner: sse_core::StreamBody, fault: Fault) -> mpsc::Receiver<Bytes> {
    let ahead = matches!(fault, ReadsAhead | ReadsAheadOverHttp2);
    let room = if ahead { 1 << 20 } else { 1 };
    let (to, pieces) = mpsc::channel(room);
    tokio::spawn(async move {
        loop {
            let frame = tokio::select! {
                frame = inner.frame() => frame,
                () = to.closed(), if ahead => break,
            };
            let Some(Ok(frame)) = frame else { break };
            let sent = to.send(frame.into_data().unwrap_or_default()).await;
            if sent.is_err() && fault != KeepsBusyStreams {
                break;
            }
        }
    });
    pieces
}

enum Source {
    Body(sse_core::StreamBody),
    Task(mpsc::Receiver<Bytes>),
}

struct Reading {
    source: Source,
    hub: Hub,
    version: Version,
    fault: Fault,
    pieces: usize,
    stream: EventStream,
    held: Option<Vec<u8>>,
}

impl Reading {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let piece = match &mut self.source {
            Source::Body(body) => body.frame().await.map(|frame| match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(never) => match never {},
            }),
            Source::Task(pieces) => pieces.recv().await,
        };
        let Some(piece) = piece else {
            return (self.fault == CutsOff).then(|| Err(io::ErrorKind::BrokenPipe.into()));
        };
        self.pieces += 1;
        let over_http_2 = self.version == Version::HTTP_2;
        match self.fault {
            HoldsTheFirstByte if self.pieces == 1 && over_http_2 => sleep(HELD).await,
            HoldsTheFirstByteAMoment if self.pieces == 1 && !over_http_2 => sleep(LATE).await,
            HoldsEveryThirdEvent if self.pieces.is_multiple_of(3) && !over_http_2 => {
                sleep(LATE).await
            }
            HoldsEvents if self.pieces > 1 && !over_http_2 => sleep(LATE).await,
            HoldsEventsOverHttp2 if self.pieces > 1 && over_http_2 => sleep(LATE).await,
            EndsAtOnce if Self::events(&piece).count() > 1 => {
                sleep(LATE).await;
                if self.hub.info().connections == 0 {
                    return None;
                }
            }
            _ => {}
        }
        Some(Ok(self.change(piece)))
    }

    fn change(&mut self, piece: Bytes) -> Bytes {
        match self.fault {
            SkipsABlankFirstByte if self.pieces == 1 && *piece == *b"\n" => Bytes::new(),
            WritesARawNewline => {
                let blank = if piece.starts_with(b"\n") { "\n" } else { "" };
                let events = self.stream.push(&piece).into_iter();
                let raw = events.map(|e| format!("event: {}\ndata: {}\n\n", e.event, e.data));
                format!("{blank}{}", raw.collect::<String>()).into()
            }
            LeavesCommentsOut => {
                let lines = piece.split_inclusive(|byte| *byte == b'\n');
                let kept = lines.filter(|line| !line.starts_with(b":"));
                kept.collect::<Vec<_>>().concat().into()
            }
            SkipsOne => Self::events(&piece)
                .filter(|e| !is_chosen(e))
                .collect::<Vec<_>>()
                .concat()
                .into(),
            DeliversTwice => {
                let twice = |e| if is_chosen(e) { vec![e, e] } else { vec![e] };
                Self::events(&piece)
                    .flat_map(twice)
                    .collect::<Vec<_>>()
                    .concat()
                    .into()
            }
            Reorders => self.reorder(&piece),
            _ => piece,
        }
    }

    /// Puts the chosen event behind the one that follows it.
    fn reorder(&mut self, piece: &Bytes) -> Bytes {
        let mut reordered = Vec::new();
        for event in Self::events(piece) {
            if is_chosen(event) {
                self.held = Some(event.to_vec());
                continue;
            }
            reordered.extend_from_slice(event);
            reordered.extend(self.held.take().unwrap_or_default());
        }
        reordered.into()
    }

    /// The events of a piece of data lines without hostile texts.
    fn events(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = piece;
        std::iter::from_fn(move || {
            let end = rest.windows(2).position(|two| two == b"\n\n");
            let end = end.map_or(rest.len(), |end| end + 2);
            let (event, behind) = rest.split_at(end);
            rest = behind;
            (!event.is_empty()).then_some(event)
        })
    }
}

/// More than 50 ms.
pub(super) const LATE: Duration = Duration::from_millis(80);

/// Whether it is a certain one of many.
fn is_chosen(event: &[u8]) -> bool {
    event.ends_with(b"\ndata: 500\n\n")
}
