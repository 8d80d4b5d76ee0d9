//! Whether the fields of a call are valid: all that is wrong is said at once.

use std::{collections::HashSet, time::Duration};

use serde::de::IgnoredAny;
use sse_core::{ClientId, Event, EventName, GroupName, IdempotencyKey, PublishError};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// How many users a call may name.
const MOST_USERS: usize = 1_000;

/// How many characters a reason may have.
const LONGEST_REASON: usize = 200;

/// For how long a client may be kept away: a year.
const LONGEST_TIME: u64 = 365 * 24 * 3600;

/// How many violations are told: the answer's head has to hold them.
const MOST_TOLD: usize = 20;

/// What is wrong with the fields of a call, so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    violations: Vec<FieldViolation>,
    /// How many there are besides.
    untold: usize,
}

/// An idempotency key as a caller gives it; empty for none.
pub(super) struct Key(pub(super) String);

impl Key {
    /// That of an event that is kept is another than that of one that isn't: the first being there says
    /// nothing of the second.
    pub(super) fn of_users(key: String, important: bool) -> Self {
        Self(match important && !key.is_empty() {
            true => format!("important/{key}"),
            false => key,
        })
    }
}

impl Fields {
    fn wrong(&mut self, field: impl Into<String>, reason: impl ToString) {
        match self.violations.len() < MOST_TOLD {
            true => self
                .violations
                .push(FieldViolation::new(field, reason.to_string())),
            false => self.untold += 1,
        }
    }

    fn valid<T, E: ToString>(
        &mut self,
        field: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.wrong(field, error)).ok()
    }

    /// The users, each once.
    pub(super) fn users(&mut self, names: Vec<String>) -> Vec<ClientId> {
        if names.is_empty() {
            self.wrong("user_ids", "there is none");
        }
        if names.len() > MOST_USERS {
            self.wrong("user_ids", format!("more than {MOST_USERS}"));
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let mut users = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let user = self.valid(format!("user_ids[{at}]"), ClientId::new(name));
            users.extend(user.filter(|user| seen.insert(user.clone())));
        }
        users
    }

    pub(super) fn group(&mut self, name: String) -> Option<GroupName> {
        self.valid("group", GroupName::new(name))
    }

    /// The event; `is_own` says which names aren't for others.
    pub(super) fn event(
        &mut self,
        name: String,
        data: String,
        key: Key,
        is_own: impl Fn(&EventName) -> bool,
    ) -> Option<Event> {
        let name = self.name(name, is_own);
        if let Err(error) = serde_json::from_str::<IgnoredAny>(&data) {
            self.wrong("json_data", format!("not JSON: {error}"));
        }
        let key = match key.0.is_empty() {
            true => None,
            false => Some(self.valid("idempotency_key", IdempotencyKey::new(key.0))?),
        };
        let mut event = Event::text(data).event(name?);
        if let Some(key) = key {
            event = event.idempotency_key(key);
        }
        self.valid("json_data", event.build())
    }

    /// Whether an event is small enough to be kept.
    pub(super) fn importance(&mut self, event: Option<&Event>, largest: usize) {
        if event.is_some_and(|event| event.data().len() > largest) {
            self.wrong(
                "json_data",
                format!("more than {largest} bytes, and important"),
            );
        }
    }

    fn name(&mut self, name: String, is_own: impl Fn(&EventName) -> bool) -> Option<EventName> {
        let name = self.valid("event", EventName::new(name))?;
        if name.as_str().is_empty() {
            self.wrong("event", "it is empty");
        } else if is_own(&name) {
            self.wrong("event", "only the gateway's own events are called so");
        }
        Some(name)
    }

    pub(super) fn reason(&mut self, reason: String) -> String {
        if reason.chars().count() > LONGEST_REASON {
            self.wrong("reason", format!("more than {LONGEST_REASON} characters"));
        }
        match reason.is_empty() {
            true => "disconnected".to_owned(),
            false => reason,
        }
    }

    pub(super) fn time(&mut self, seconds: u64) -> Duration {
        if seconds > LONGEST_TIME {
            self.wrong("for_seconds", format!("more than {LONGEST_TIME}"));
        }
        Duration::from_secs(seconds)
    }

    /// Refuses the call if something is wrong.
    pub(super) fn check(self) -> Result<(), Status> {
        let Self { violations, untold } = self;
        if violations.is_empty() {
            return Ok(());
        }
        let said = violations
            .iter()
            .map(|it| format!("{}: {}", it.field, it.description));
        let mut said = said.collect::<Vec<_>>().join("; ");
        if untold > 0 {
            said.push_str(&format!("; and {untold} more"));
        }
        let details = ErrorDetails::with_bad_request(violations);
        Err(Status::with_error_details(
            Code::InvalidArgument,
            said,
            details,
        ))
    }

    /// Refuses a call whose event the hub didn't take for what it is; the error again if that isn't why.
    pub(super) fn refused(error: PublishError) -> Result<Status, PublishError> {
        let mut fields = Self::default();
        match error {
            PublishError::TooLarge { .. } => fields.wrong("json_data", error),
            PublishError::Event(_) | PublishError::Name(_) => fields.wrong("event", error),
            error => return Err(error),
        }
        Ok(fields.check().err().unwrap_or_else(|| Status::internal("")))
    }
}
