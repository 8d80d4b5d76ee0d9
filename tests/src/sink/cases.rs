mod close;
mod conflation;
mod full;
mod notices;
mod order;
mod progress;
mod reentry;
mod room;
mod support;
mod threads;
mod wakes;

pub(super) use self::{
    close::*, conflation::*, full::*, notices::*, order::*, progress::*, reentry::*, room::*,
    threads::*, wakes::*,
};
