//! The adapter in each way of serving a poem application.

mod conformance;
mod poem;
mod support;
