//! The registry, held against its contract.

use wildcard_registry::WildcardRegistry;

sse_conformance::registry_tests!(WildcardRegistry::new());
