use crate::suite::rules;

rules! {
    R1: "Frames leave in the order in which they were taken, each whole, each once.";
    R2: "try_send returns at once. It waits for no reader and does no I/O. Neither it nor close \
         wakes anybody: the hub may call both inside its ordered section, and calls close outside \
         it too. No method needs a runtime.";
    R3: "wake makes whoever reads look again. The hub calls it after the ordered section, at \
         least once after it offered frames or closed. Frames that were taken before the call are \
         seen, and so is the close.";
    R4: "An empty sink takes one frame of any size. A sink that isn't empty has limits of its \
         own, which what waits never outgrows. One that lets nothing wait needs none.";
    R5: "A frame that doesn't fit is treated as WhenFull says: refused without a trace (Refuse), \
         let in by dropping the oldest, no more of them than needed (DropOldest), or dropped \
         itself (DropThis).";
    R6: "A frame with a conflation key removes a waiting frame of the same key and goes to the \
         end. That isn't a drop, and needs no room but for what the newer one is larger. If it is \
         refused or dropped itself, the older frame stays.";
    R7: "The library's own frames (Frame::is_notice) are always taken, never dropped, and count \
         neither against the limits nor as delivered. One that repeats the one before it, with no \
         event in between, may be left out.";
    R8: "Where frames were dropped, the reader gets a gap that says how many (SinkContext::gap), \
         before any frame that stood after them. Several may be one where nothing is left between \
         them.";
    R9: "progress counts every frame that the transport took, and never falls; what waits is \
         counted in the same moment.";
    R10: "After close every frame is answered with Offer::Closed. What waits is still delivered, \
         unless the reason discards it; then the transport ends. The first reason stays; a later \
         one that discards still discards. A closed sink stays closed.";
    R11: "Each frame of the application's that the transport took is told once to \
         SinkContext::delivered.";
    R12: "poll_room says what a refusing try_send would: if it answered that there is room for a \
         frame and nothing was sent since, a frame of at most that size is taken. Whom it left \
         Pending is woken once there is that much room: by the reader that made it, or else by \
         the next wake, which after a close wakes in any case.";
    R13: "No call panics, however odd: an event without data, usize::MAX bytes of room, a wake \
         with nobody to wake, a second close.";
    R14: "Nobody is woken while a lock is held: a wake-up may call every method of the sink.";
}
