//! [`sse_fuzz::stream_request`] for libFuzzer, which brings the `main`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sse_fuzz::stream_request(data));

#[cfg(not(fuzzing))]
fn main() {}
