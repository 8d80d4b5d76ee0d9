//! The implementations in the box, held against their contracts.

mod registry {
    sse_conformance::registry_tests!(sse_core::MemoryRegistry::new());
}

mod sink {
    use std::sync::Arc;

    use sse_conformance::sink::SinkUnderTest;
    use sse_core::QueueSink;

    sse_conformance::sink_tests!(|context, limits| {
        let sink = QueueSink::new(limits, context);
        SinkUnderTest::new(Arc::clone(&sink), move |cx| sink.poll_next(cx))
    });
}
