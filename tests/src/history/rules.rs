use crate::suite::rules;

rules! {
    R1: "page has every kept event after after that the viewer sees (Viewer::sees), up to \
         looked_to, and no other: oldest first, each once, with its position and whom it was for.";
    R2: "looked_to says up to where the page looked, also when it is empty: no less than its last \
         event, no less than after, and beyond after where anything was kept there. A page that \
         isn't at the end of the history may stop anywhere after that.";
    R3: "A page holds no more events, and no more bytes, than its limit, but may always hold one.";
    R4: "Where events after after are no longer kept, page is HistoryError::Evicted, never what is \
         left: its floor is the position from which on all is kept. bounds says the same.";
    R5: "Where after is of another epoch, page is HistoryError::Epoch, with the floor; where it \
         comes after the newest event, HistoryError::Ahead.";
    R6: "What was delivered is found: an event that a hub of this history was given is kept, or no \
         longer kept, whenever page is called afterwards.";
    R7: "locate finds the newest kept event with that id that the viewer sees, and no other.";
    R8: "latest says after which position the events begin that are wanted: the last so many that \
         the viewer sees, or all that were published at that time or later. Where the viewer sees \
         fewer than so many it is the floor; where none are wanted, or none were published since, \
         the newest position.";
    R9: "A Keep keeps an event from when append returned. begin forgets what was kept, and makes \
         its position the floor and the newest.";
}
