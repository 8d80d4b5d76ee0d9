mod bytes;
mod closes;
mod ends;
mod requests;
mod support;

pub(super) use self::{bytes::*, closes::*, ends::*, requests::*};
