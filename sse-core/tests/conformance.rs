//! The implementations in the box, held against their contracts.

mod registry {
    sse_conformance::registry_tests!(sse_core::MemoryRegistry::new());
}
