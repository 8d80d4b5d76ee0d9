//! [`sse_fuzz::event_stream`] for libFuzzer, which brings the `main`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sse_fuzz::event_stream(data));

#[cfg(not(fuzzing))]
fn main() {}
