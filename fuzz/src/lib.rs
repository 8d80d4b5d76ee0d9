//! Fuzz targets: what is done with any bytes, and what must hold then.
//!
//! | target | reads the bytes as | holds |
//! |---|---|---|
//! | [`event()`] | lines that build events | what builds reads back as it was built, what doesn't says why |
//! | [`names()`] | a text | a name, an id or a position is the text that it was made from, and nothing else is one |
//! | [`stream_request()`] | lines that make a request | it is answered as promised, and nothing is left behind |
//! | [`demo_send()`] | a body for the demo's `POST /send` | whoever it is for gets it exactly, nobody else anything |
//! | [`demo_urls()`] | lines that make requests to the demo | each is answered, the same on each framework; streams are counted right |
//! | [`event_stream()`] | an event stream | the reference parser reads what the standard says, however it is cut |
//!
//! A target panics where that doesn't hold. libFuzzer calls them through the programs in
//! `fuzz_targets/`, the test suite with each file of `corpus/` and `regressions/`.
//!
//! A file of the corpus that has a name was written by hand, for the case that it names; one that
//! has a hash came out of a long run, for code that the others don't reach. An input for which a
//! target has failed goes to `regressions/` once the fault is mended.
//!
//! ```sh
//! cargo xtask soak                                # each target for a minute
//! cargo fuzz run --sanitizer none event FILE      # one input again
//! cargo test --package sse-fuzz                   # all inputs that are kept
//! ```

#![forbid(unsafe_code)]

mod demo;
mod demo_send;
mod demo_urls;
mod event;
mod event_stream;
mod form;
mod names;
mod runtime;
mod script;
mod stream;
mod stream_request;

pub use demo_send::demo_send;
pub use demo_urls::demo_urls;
pub use event::event;
pub use event_stream::event_stream;
pub use names::names;
pub use stream_request::stream_request;

/// What a target does with an input; it panics if something doesn't hold.
pub type Target = fn(&[u8]);

/// All targets by name. Each has a program in `fuzz_targets/` and a folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("demo_send", demo_send),
    ("demo_urls", demo_urls),
    ("event", event),
    ("event_stream", event_stream),
    ("names", names),
    ("stream_request", stream_request),
];
