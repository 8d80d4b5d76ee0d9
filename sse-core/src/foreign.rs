use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls code that isn't the library's own; `None` if it panicked.
///
/// The payload of the panic is forgotten rather than dropped: that would be foreign code again.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            std::mem::forget(payload);
            None
        }
    }
}
