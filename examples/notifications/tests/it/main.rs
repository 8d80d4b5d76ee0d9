//! The server as a client sees it.

#[macro_use]
mod frameworks;

mod api;
mod api_refusals;
mod app;
mod cli;
mod drain;
mod hostile;
mod page;
mod proxies;
mod same_bytes;
mod support;
mod web;
