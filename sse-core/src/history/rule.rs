use std::{fmt, sync::Arc};

use crate::{GroupName, foreign::caught};

/// Which groups' events a member of a group gets.
///
/// By its registry's rule, which it asks for once, a hub reads the history for who reconnects.
#[derive(Clone, Default)]
pub struct GroupRule(Option<Arc<Covers>>);

type Covers = dyn Fn(&GroupName, &GroupName) -> bool + Send + Sync;

impl GroupRule {
    /// A member of a group gets what is for the group of exactly that name.
    #[must_use]
    pub const fn exact() -> Self {
        Self(None)
    }

    /// A member of `joined` gets what is for `addressed` where `covers(joined, addressed)`. It has
    /// to be quick, must not block, and always answers the same; if it panics, that is no.
    pub fn new(covers: impl Fn(&GroupName, &GroupName) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(covers)))
    }

    /// Whether it goes by exact names, so that a history may look groups up by them.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a member of `joined` gets what is for `addressed`.
    #[must_use]
    pub fn covers(&self, joined: &GroupName, addressed: &GroupName) -> bool {
        match &self.0 {
            None => joined == addressed,
            Some(covers) => caught(|| covers(joined, addressed)).unwrap_or_else(|| {
                tracing::error!(?joined, ?addressed, "a group rule panicked: not covered");
                false
            }),
        }
    }
}

impl fmt::Debug for GroupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "GroupRule(exact)",
            Some(_) => "GroupRule(..)",
        })
    }
}
