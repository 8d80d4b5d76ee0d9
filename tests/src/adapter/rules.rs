use crate::suite::rules;

rules! {
    R1: "The head and a first byte leave at once, within 50 ms, before there is any event of the \
         application's.";
    R2: "The head is that of every stream, the same on every version of HTTP: 200, Content-Type: \
         text/event-stream, Cache-Control: no-cache, no-transform, X-Accel-Buffering: no, and no \
         Connection header.";
    R3: "Each event leaves by itself, within 50 ms.";
    R4: "The body is the core's bytes, in order, and nothing else: not encoded again, nothing left \
         out, nothing added.";
    R5: "A client that goes away is out of the hub within a second, whether its stream is idle or \
         busy: by FIN, by RST, by closing its half alone, by resetting a stream of HTTP/2. \
         Where bytes of its request lie unread, the next write finds out.";
    R6: "GET and POST open a stream, over HTTP/1.0, HTTP/1.1 and HTTP/2 (with prior knowledge).";
    R7: "HEAD answers the same head, and nothing else: no connection, no presence.";
    R8: "The last event id is the Last-Event-ID header's, or else the query's lastEventId or \
         last_event_id; empty means none.";
    R9: "A name that isn't valid is answered with 400 and {\"error\": …} in JSON. One that is valid \
         arrives as it was sent.";
    R10: "Where a client stops reading, its stream is soon read no further: what adapter and server \
          hold for it is bounded, and the rest waits in the hub's queue.";
    R11: "A stream that the hub ends brings what waited, then ends cleanly: with the last chunk, or \
          END_STREAM.";
    R12: "The extractor knows the address at the other end of the socket, and the core what a \
          trusted proxy says of the one behind it.";
    R13: "A stream that isn't taken is told to whoever accepts text/event-stream by a stream of one \
          event that ends, with a retry; to others by 503 or 429, with Retry-After and JSON.";
    R14: "A client that was ended for good is answered with 204 and no body.";
}
