use std::{fmt, sync::Arc};

use crate::{
    Frame,
    notice::Notices,
    sync::atomic::{AtomicU64, Ordering},
};

/// What a sink gets from its hub: how to tell its client of a gap, and where to count.
///
/// Cheap to clone; the same for all sinks of a hub.
#[derive(Clone)]
pub struct SinkContext(Arc<Shared>);

struct Shared {
    notices: Notices,
    delivered: AtomicU64,
    gaps: AtomicU64,
}

impl SinkContext {
    pub(crate) fn new(notices: Notices) -> Self {
        Self(Arc::new(Shared {
            notices,
            delivered: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
        }))
    }

    /// The frame that tells a client that `dropped` events are missing where it stands.
    #[must_use]
    pub fn gap(&self, dropped: u64) -> Frame {
        self.0.gaps.fetch_add(1, Ordering::Relaxed);
        self.0.notices.overflow(dropped)
    }

    /// Counts `frames` more frames of the application's as taken by the transport.
    pub fn delivered(&self, frames: u64) {
        self.0.delivered.fetch_add(frames, Ordering::Relaxed);
    }

    pub(crate) fn delivered_total(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    pub(crate) fn gaps_total(&self) -> u64 {
        self.0.gaps.load(Ordering::Relaxed)
    }

    pub(crate) fn notices(&self) -> &Notices {
        &self.0.notices
    }
}

/// The context of a hub of default settings, for testing a sink on its own.
impl Default for SinkContext {
    fn default() -> Self {
        Self::new(Notices::default())
    }
}

impl fmt::Debug for SinkContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkContext").finish_non_exhaustive()
    }
}
