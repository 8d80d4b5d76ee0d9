//! The suites themselves are tested: for each rule there are implementations that break it, and
//! the suite has to find out which.
//!
//! Each mutant breaks one thing. The case that proves the broken rule must fail, and no other but
//! its listed companions: those that can't but fail with it.

#[path = "mutants/adapter.rs"]
mod adapter;
#[path = "mutants/history.rs"]
mod history;
#[path = "mutants/registry.rs"]
mod registry;
#[path = "mutants/report.rs"]
mod report;
#[path = "mutants/router.rs"]
mod router;
#[path = "mutants/sink.rs"]
mod sink;
