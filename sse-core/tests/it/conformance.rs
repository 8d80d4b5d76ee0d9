//! The registries and sinks in the box and those of the documentation, held against their
//! contracts.

mod registry {
    sse_conformance::registry_tests!(sse_core::MemoryRegistry::new());
}

mod list_registry {
    include!("../../src/docs/list_registry.rs");

    sse_conformance::registry_tests!(ListRegistry::default());
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

mod log_sink {
    use std::sync::Arc;

    use sse_conformance::sink::SinkUnderTest;

    include!("../../src/docs/log_sink.rs");

    sse_conformance::sink_tests!(|context, _| {
        let sink = Arc::new(LogSink::new(context));
        let (log, mut read) = (Arc::clone(&sink), 0);
        SinkUnderTest::taken_at_once(sink, move |cx| {
            let frame = log.poll_frame(read, cx);
            read += usize::from(matches!(frame, Poll::Ready(Some(_))));
            frame.map(|frame| frame.map(|frame| frame.bytes().clone()))
        })
    });
}
