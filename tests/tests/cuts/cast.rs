//! Who takes part.

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A browser's `EventSource`.
    Chromium,
    /// npm's `eventsource`.
    Node,
    /// [`StreamClient`](sse_conformance::StreamClient), opened again and again.
    Rust,
}

/// A browser opens six connections to a host, one of which is kept free.
pub(crate) const OF_A_KIND: usize = 5;

const GROUPS: usize = 3;

/// A client, and the group that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) client: String,
    pub(crate) group: String,
}

impl Member {
    /// Where its stream is.
    pub(crate) fn path(&self) -> String {
        format!("/streams/{}/{}", self.client, self.group)
    }
}

/// Clients of these kinds, in different groups.
pub(crate) fn cast(kinds: &[Kind]) -> Vec<Member> {
    let of_kind = |kind: Kind| {
        (0..OF_A_KIND).map(move |n| Member {
            kind,
            client: format!("{kind:?}-{n}").to_lowercase(),
            group: group(n),
        })
    };
    kinds.iter().copied().flat_map(of_kind).collect()
}

/// The `n`th group.
pub(crate) fn group(n: usize) -> String {
    format!("group-{}", n % GROUPS)
}

/// Whose stream is at this path; none if it is no stream's.
pub(crate) fn client_at(path: &str) -> Option<&str> {
    let (client, _) = path.strip_prefix("/streams/")?.split_once('/')?;
    Some(client)
}
