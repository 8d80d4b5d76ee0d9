use std::{net::IpAddr, time::Duration};

use http::Extensions;
use smallvec::SmallVec;

use crate::{ClientId, GroupName, LastEventId, Latest, NameError};

/// What a new connection asks for: as which client, in which groups, from where on.
///
/// ```
/// use sse_core::{ClientId, GroupName, Subscribe};
///
/// #[derive(Clone)]
/// struct Language(&'static str);
///
/// let subscribe = Subscribe::new(ClientId::new("user-17")?)
///     .group(GroupName::new("admins")?)
///     .attribute(Language("da"));
/// # assert_eq!(subscribe.client().as_str(), "user-17");
/// # Ok::<(), sse_core::NameError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "give it to Hub::subscribe"]
pub struct Subscribe {
    pub(crate) client: ClientId,
    pub(crate) groups: SmallVec<[GroupName; 1]>,
    pub(crate) attributes: Extensions,
    pub(crate) last_event_id: Option<LastEventId>,
    pub(crate) latest: Option<Latest>,
    pub(crate) remote_addr: Option<IpAddr>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) valid_for: Option<Duration>,
    pub(crate) begins_with_state: bool,
}

impl Subscribe {
    /// A connection of `client`, in no group.
    pub fn new(client: impl Into<ClientId>) -> Self {
        Self {
            client: client.into(),
            groups: SmallVec::new(),
            attributes: Extensions::new(),
            last_event_id: None,
            latest: None,
            remote_addr: None,
            lifetime: None,
            valid_for: None,
            begins_with_state: false,
        }
    }

    /// As [`new`](Self::new), for a name that has to be checked.
    ///
    /// # Errors
    ///
    /// `client` isn't a valid name.
    pub fn client_id(
        client: impl TryInto<ClientId, Error: Into<NameError>>,
    ) -> Result<Self, NameError> {
        client.try_into().map(Self::new).map_err(Into::into)
    }

    /// Also puts the connection into `group`, for as long as it lives.
    pub fn group(mut self, group: impl Into<GroupName>) -> Self {
        let group = group.into();
        if !self.groups.contains(&group) {
            self.groups.push(group);
        }
        self
    }

    /// Attaches a value of the application's own, one of each type.
    pub fn attribute<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.attributes.insert(value);
        self
    }

    /// Replays some of the latest events to a client that says nothing of what it saw last; nothing
    /// by default. Without a history there are none.
    pub const fn latest(mut self, wanted: Latest) -> Self {
        self.latest = Some(wanted);
        self
    }

    /// Begins the stream with how things stand, as the application tells by
    /// [`HubBuilder::fresh_state`](crate::HubBuilder::fresh_state): before anything that carries a
    /// position (the opening event carries none then), also where the client comes back and misses
    /// nothing. What is published and kept from then on follows, and a `caught-up`, which says how many
    /// events that aren't kept were skipped meanwhile. Should something turn out to be missing, the state
    /// is told once more, after the `gap`. Where the hub has nobody to ask for it, it changes nothing.
    pub const fn begin_with_state(mut self) -> Self {
        self.begins_with_state = true;
        self
    }

    /// What the client says that it saw last: it gets what it missed since.
    pub fn last_event_id(mut self, id: impl Into<Option<LastEventId>>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// Where the client is, for the limit on connections from one address; unknown by default.
    /// [`StreamRequest`](crate::StreamRequest) says it by itself.
    pub fn remote_addr(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.remote_addr = address.into();
        self
    }

    /// Ends the connection after so much time, at the latest a second later. For ever by default, but
    /// for [`HubConfig::max_lifetime`](crate::HubConfig::max_lifetime). What waits is delivered, and its
    /// client is told to come back, and is judged anew then.
    pub fn lifetime(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.lifetime = time.into();
        self
    }

    /// Takes the connection back after so much time, at the latest a second later, as when a token
    /// expires: [`Hub::revoke`](crate::Hub::revoke) with the reason `expired`. Never by default.
    pub fn valid_for(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.valid_for = time.into();
        self
    }

    /// Whose connection it will be.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// The groups that it will be in.
    #[must_use]
    pub fn groups(&self) -> &[GroupName] {
        &self.groups
    }
}
