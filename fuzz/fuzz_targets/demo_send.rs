//! [`sse_fuzz::demo_send`] for libFuzzer, which brings the `main`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sse_fuzz::demo_send(data));

#[cfg(not(fuzzing))]
fn main() {}
