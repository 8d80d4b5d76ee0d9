//! The suites themselves are tested: for each rule there are implementations that break it, and
//! the suite has to find out which.
//!
//! Each mutant breaks one thing. The case that proves the broken rule must fail, and no other but
//! its listed companions: those that can't but fail with it.

mod adapter;
mod history;
mod registry;
mod report;
mod router;
mod sink;
