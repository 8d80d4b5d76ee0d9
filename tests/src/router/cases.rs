mod batches;
mod delivery;
mod dropped;
mod ingress;
mod keys;
mod order;
mod readers;
mod recorder;
mod shutdown;
mod start;
mod support;

pub(super) use self::{
    batches::*, delivery::*, dropped::*, ingress::*, keys::*, order::*, readers::*, shutdown::*,
    start::*,
};
