mod changes;
mod support;
mod visits;

pub(super) use self::{changes::*, visits::*};
