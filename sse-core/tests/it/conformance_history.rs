//! The history in the box and the one of the documentation, held against the contract.

use sse_core::MemoryHistory;

mod memory {
    use super::*;

    sse_conformance::history_tests!(MemoryHistory::default());
}

/// It keeps no more than the suite asks for, so that something is evicted.
mod bounded {
    use super::*;

    sse_conformance::history_tests!(MemoryHistory::last(1_000));
}

mod list {
    include!("../../src/docs/list_history.rs");

    sse_conformance::history_tests!(ListHistory::default());
}
