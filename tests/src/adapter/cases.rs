mod bytes;
mod closes;
mod requests;
mod support;

pub(super) use self::{bytes::*, closes::*, requests::*};
