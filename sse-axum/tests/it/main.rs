//! The adapter in each way of serving an axum router.

mod axum;
mod conformance;
mod support;
