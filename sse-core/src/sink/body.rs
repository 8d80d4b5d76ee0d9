use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;

use crate::hub::Attached;

/// The body of a response: reads a connection's queue until the connection ends.
///
/// Both a [`Stream`] of bytes and an [`http_body::Body`]; never an error. Each piece is one or
/// several whole events; where the opening event is off, the first is a blank line. Dropping it ends
/// the connection; so does dropping the hub.
#[derive(Debug)]
#[must_use = "dropping the body ends the connection"]
pub struct EventBody {
    attached: Attached,
}

impl EventBody {
    /// Reads the queue of a connection that has one of the hub's own.
    pub(crate) const fn new(attached: Attached) -> Self {
        Self { attached }
    }

    #[inline]
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.attached.has_ended() {
            return Poll::Ready(None);
        }
        self.attached.note_polled();
        let queue = self.attached.connection().queue();
        let piece = queue.map_or(Poll::Ready(None), |queue| queue.poll_next(cx));
        if matches!(piece, Poll::Ready(None)) {
            self.attached.note_end();
        }
        piece
    }
}

impl Stream for EventBody {
    type Item = Result<Bytes, Infallible>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(cx).map(|piece| piece.map(Ok))
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let piece = self.poll_piece(cx);
        piece.map(|piece| piece.map(|bytes| Ok(http_body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.attached.has_ended()
    }
}
