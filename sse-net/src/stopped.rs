/// How a server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many connections hadn't finished within the grace period and were cut off.
    pub cut_off: usize,
}
