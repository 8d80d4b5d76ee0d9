//! The router in the box and the one of the documentation, held against the contract.

mod local {
    sse_conformance::router_tests!(sse_core::LocalRouter::default());
}

mod plain {
    include!("../../src/docs/plain_router.rs");

    sse_conformance::router_tests!(PlainRouter::default());
}
