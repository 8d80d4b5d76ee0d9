//! The test client, and the suites on implementations that break their rules.

mod client;
mod mutants;
