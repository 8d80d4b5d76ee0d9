//! The adapter in each way of serving a warp filter.

mod conformance;
mod filters;
mod support;
mod warp_serve;
