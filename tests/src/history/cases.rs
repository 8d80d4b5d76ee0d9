mod begin;
mod errors;
mod latest;
mod limits;
mod locate;
mod looked_to;
mod pages;
mod support;
mod targets;
mod threads;

pub(super) use self::{
    begin::*, errors::*, latest::*, limits::*, locate::*, looked_to::*, pages::*, targets::*,
    threads::*,
};
