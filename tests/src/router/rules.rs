use crate::suite::rules;

rules! {
    R1: "start is called before the first publication, and remembers where to deliver; before \
         it publishing fails with RouteError::NotStarted, without a trace. It says where the \
         order of kept events stands: later positions come after that. It may be called again \
         with the same to, which changes nothing; the hub does so where it failed or was \
         dropped midway. With another to it is RouteError::Started.";
    R2: "publish accepts a batch as a whole or not at all. Its answer has one Accepted for each \
         publication, in order; an empty batch has an empty answer. Kept ones have consecutive \
         positions; a transient event has none.";
    R3: "Every accepted publication that isn't a duplicate is given to Deliver::deliver once on \
         every node, in the order of positions, one call at a time; the events of a batch in \
         one call, in their order. What is published after publish or try_publish returned \
         stands after it. Target and event are those that were published, the position that of \
         the answer. On the node where it was published it carries its Ticket.";
    R4: "Once a publication is accepted it is delivered, before or after the answer, whatever \
         becomes of the future or the task that published it; so is what try_publish took. What \
         is dropped before it is accepted leaves no trace. A router that gives the positions \
         itself delivers on this node without an await in between.";
    R5: "Nothing waits for a reader: what deliver returns is dropped after the router's own \
         locks, because it wakes readers then, and before anything is waited for: until then \
         nobody else can wake them. Whoever is woken, and whatever deliver calls, \
         may come back: try_publish, polling publish and Debug don't block there.";
    R6: "Ingress is bounded: at most 100,000 batches wait. Where it is full, publish waits for \
         its turn, without blocking its thread, and try_publish fails with RouteError::Busy, \
         without a trace. try_publish needs no runtime.";
    R7: "A publication whose idempotency key was accepted before for the same target, be it in \
         the same batch, and is still remembered, is not delivered; its answer has the first \
         one's position and says duplicate. Every router remembers keys; how many and for how \
         long is its own affair.";
    R8: "Where events were lost on their way to this node, and only there, the router says so \
         with Deliver::lost, in order with the deliveries, once what was lost is all in its log \
         (as far as it is still kept): every event that comes after that call is delivered.";
    R9: "Once shutdown was polled everything fails with RouteError::Closed, start too. What was \
         accepted before, or taken by try_publish, is delivered before it returns, and nothing \
         after. It needs no start; it may be called again, and waits for the same. Dropping the \
         hub doesn't shut its router down: whoever shares one does that.";
}
