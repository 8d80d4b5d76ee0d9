//! Registries that break a rule each: the one in the box, with one thing done wrong.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sse_conformance::registry::violations;
use sse_core::{
    Connection, ConnectionId, Except, GroupName, MemoryRegistry, Registry, RegistryError,
    RegistryStats, Scope, Target, async_trait,
};
use tokio::{runtime::Handle, task::yield_now, time::sleep};

use crate::report::{Mutant, assert_caught};

/// What a registry does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    VisitsNoNewcomer,
    LosesAGroup,
    TakesASecondInsert,
    ReplacesAtASecondInsert,
    ForgetsToRemove,
    ReturnsNothing,
    NeverTakesBack,
    LeavesAnEmptyClient,
    LeavesAnEmptyGroup,
    AlwaysSaysThatItJoined,
    LetsStrangersJoin,
    JoinsLater,
    LeavesLater,
    MatchesPrefixes,
    ForgetsALaterClient,
    TakesAConnectionForItsClient,
    SkipsAMember,
    SkipsOneOfAll,
    NarrowsNoConnection,
    DeliversTwice,
    KnowsNoPredicate,
    LeavesOut,
    AsksTheRuntime,
    ChangesInAVisit,
    CountsWrong,
    InsertsByHalves,
    TakesOutForAMoment,
}

use Fault::*;

#[derive(Debug)]
struct Broken {
    fault: Fault,
    inner: MemoryRegistry,
    /// A change that is put off.
    later: Mutex<Option<(ConnectionId, GroupName)>>,
    removed: Mutex<Vec<ConnectionId>>,
    /// The most that there were at once.
    peak: Mutex<RegistryStats>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            inner: MemoryRegistry::new(),
            later: Mutex::default(),
            removed: Mutex::default(),
            peak: Mutex::default(),
        }
    }

    fn note(&self) {
        let now = self.inner.stats();
        let mut peak = self.peak.lock();
        peak.clients = peak.clients.max(now.clients);
        peak.groups = peak.groups.max(now.groups);
    }

    fn found(&self, target: &Target) -> Vec<Arc<Connection>> {
        let mut found = Vec::new();
        self.inner.visit(target, &mut |c| found.push(Arc::clone(c)));
        found
    }

    /// Does what was put off.
    async fn catch_up(&self) -> Result<(), RegistryError> {
        let later = self.later.lock().take();
        if let Some((id, group)) = later {
            if self.fault == JoinsLater {
                self.inner.join(id, group).await?;
            } else {
                self.inner.leave(id, &group).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Registry for Broken {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let id = connection.id();
        let there = !self.found(&Target::connection(id)).is_empty();
        match self.fault {
            TakesASecondInsert if there => return Ok(()),
            ReplacesAtASecondInsert if there => {
                self.inner.remove(id).await?;
                self.inner.insert(connection).await?;
                return Err(RegistryError::Exists(id));
            }
            NeverTakesBack if self.removed.lock().contains(&id) => {
                return Err(RegistryError::Exists(id));
            }
            _ => {}
        }
        let other = self.found(&Target::everybody()).pop();
        let groups = connection.groups();
        self.inner.insert(connection).await?;
        match (self.fault, other) {
            (LosesAGroup, _) => {
                if let [_, second, ..] = &groups[..] {
                    self.inner.leave(id, second).await?;
                }
            }
            (InsertsByHalves, _) => {
                for group in &groups {
                    self.inner.leave(id, group).await?;
                }
                yield_now().await;
                for group in groups {
                    self.inner.join(id, group).await?;
                }
            }
            (TakesOutForAMoment, Some(other)) => {
                self.inner.remove(other.id()).await?;
                sleep(Duration::from_millis(1)).await;
                self.inner.insert(other).await?;
            }
            _ => {}
        }
        self.note();
        Ok(())
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        if self.fault == ForgetsToRemove {
            return Ok(self.found(&Target::connection(id)).pop());
        }
        self.removed.lock().push(id);
        let removed = self.inner.remove(id).await?;
        Ok(removed.filter(|_| self.fault != ReturnsNothing))
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        self.catch_up().await?;
        if self.found(&Target::connection(id)).is_empty() && self.fault == LetsStrangersJoin {
            return Ok(true);
        }
        if self.fault == JoinsLater {
            let member = !self
                .found(&Target::connection(id).within(&group))
                .is_empty();
            *self.later.lock() = Some((id, group));
            return Ok(!member);
        }
        let joined = self.inner.join(id, group).await?;
        self.note();
        Ok(joined || self.fault == AlwaysSaysThatItJoined)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        self.catch_up().await?;
        if self.fault == LeavesLater {
            let member = !self.found(&Target::connection(id).within(group)).is_empty();
            *self.later.lock() = Some((id, group.clone()));
            return Ok(member);
        }
        self.inner.leave(id, group).await
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        let mut found = self.found(target);
        match (self.fault, target.scope()) {
            (VisitsNoNewcomer, _) if self.inner.stats().connections == 1 => found.clear(),
            (MatchesPrefixes, Scope::Client(client)) if target.group_within().is_none() => {
                found = self.found(&Target::everybody());
                found.retain(|c| c.client().as_str().starts_with(client.as_str()));
            }
            (ForgetsALaterClient, Scope::Clients(clients)) => {
                let first = clients.first();
                found.retain(|connection| Some(connection.client()) == first);
            }
            (TakesAConnectionForItsClient, Scope::Connection(_))
                if let Some(connection) = found.first() =>
            {
                found = self.found(&Target::client(connection.client()));
                found.retain(|c| target.group_within().is_none_or(|g| c.groups().contains(g)));
            }
            (SkipsAMember, Scope::Group(_)) if found.len() >= 100 => drop(found.pop()),
            (SkipsOneOfAll, Scope::Everybody) if found.len() >= 100 => drop(found.pop()),
            (NarrowsNoConnection, Scope::Connection(id)) => {
                found = self.found(&Target::connection(*id));
            }
            (DeliversTwice, Scope::Group(_)) if target.group_within().is_some() => {
                found.extend(found.clone());
            }
            (KnowsNoPredicate, Scope::Matching(_)) => found.clear(),
            (LeavesOut, _) => match target.except() {
                Some(Except::Connection(id)) => found.retain(|c| c.id() != *id),
                Some(Except::Client(client)) => found.retain(|c| c.client() != client),
                _ => {}
            },
            (AsksTheRuntime, _) => drop(Handle::current()),
            (ChangesInAVisit, _) => {
                let closed = found
                    .iter()
                    .filter(|connection| connection.sink().is_closed());
                for connection in closed {
                    let removed = self.inner.remove(connection.id());
                    drop(futures_util::FutureExt::now_or_never(removed));
                }
            }
            _ => {}
        }
        found.iter().for_each(each);
    }

    fn stats(&self) -> RegistryStats {
        let mut stats = self.inner.stats();
        let peak = *self.peak.lock();
        match self.fault {
            LeavesAnEmptyClient if stats.connections == 0 => stats.clients = peak.clients,
            LeavesAnEmptyGroup => stats.groups = peak.groups,
            CountsWrong => stats.clients = stats.connections,
            _ => {}
        }
        stats
    }
}

const fn mutant(
    fault: Fault,
    name: &'static str,
    rule: &'static str,
    primary: &'static str,
    companions: &'static [&'static str],
) -> (
    Fault,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
) {
    (fault, name, rule, primary, companions)
}

#[test]
fn every_broken_registry_is_found_out() {
    let mutants = [
        mutant(
            VisitsNoNewcomer,
            "visits no newcomer",
            "R1",
            "an_inserted_connection_is_visited",
            &[],
        ),
        mutant(
            LosesAGroup,
            "loses a group of a newcomer's",
            "R1",
            "a_connection_brings_its_groups_along",
            &[],
        ),
        mutant(
            TakesASecondInsert,
            "takes a second insert",
            "R2",
            "a_second_insert_is_refused",
            &[],
        ),
        mutant(
            ReplacesAtASecondInsert,
            "replaces at a second insert",
            "R2",
            "a_refused_insert_changes_nothing",
            &[],
        ),
        mutant(
            ReturnsNothing,
            "returns nothing from remove",
            "R3",
            "remove_returns_what_insert_took",
            &[],
        ),
        mutant(
            ForgetsToRemove,
            "forgets to remove",
            "R3",
            "a_removed_connection_is_not_visited",
            &[],
        ),
        mutant(
            LeavesAnEmptyClient,
            "leaves an empty client",
            "R3",
            "the_last_connection_takes_its_client_along",
            &[],
        ),
        mutant(
            LeavesAnEmptyGroup,
            "leaves an empty group",
            "R3",
            "the_last_member_takes_its_group_along",
            &[],
        ),
        mutant(
            NeverTakesBack,
            "never takes one back",
            "R3",
            "a_removed_connection_can_come_back",
            &[],
        ),
        mutant(
            AlwaysSaysThatItJoined,
            "always says that it joined",
            "R4",
            "join_and_leave_tell_what_they_changed",
            &[],
        ),
        mutant(
            LetsStrangersJoin,
            "lets strangers join",
            "R4",
            "a_stranger_can_neither_join_nor_leave",
            &[],
        ),
        mutant(
            JoinsLater,
            "joins later",
            "R4",
            "a_join_that_returned_is_in_effect",
            &[],
        ),
        mutant(
            LeavesLater,
            "leaves later",
            "R4",
            "a_leave_that_returned_is_in_effect",
            &[],
        ),
        mutant(
            MatchesPrefixes,
            "matches prefixes of a client's name",
            "R5",
            "a_client_is_each_of_its_connections",
            &[],
        ),
        mutant(
            ForgetsALaterClient,
            "forgets a later client of a list",
            "R5",
            "clients_are_each_of_their_connections",
            &[],
        ),
        mutant(
            TakesAConnectionForItsClient,
            "takes a connection for its client",
            "R5",
            "a_connection_is_itself_alone",
            &[],
        ),
        mutant(
            SkipsAMember,
            "skips a member of many",
            "R5",
            "a_group_is_its_members",
            &[],
        ),
        mutant(
            SkipsOneOfAll,
            "skips one of everybody",
            "R5",
            "everybody_is_everybody",
            &[],
        ),
        mutant(
            NarrowsNoConnection,
            "narrows no connection to a group",
            "R5",
            "each_scope_can_be_narrowed_to_a_group",
            &[],
        ),
        mutant(
            DeliversTwice,
            "delivers twice",
            "R5",
            "nobody_is_visited_twice",
            &[],
        ),
        mutant(
            KnowsNoPredicate,
            "visits nobody for a predicate",
            "R5",
            "a_predicate_is_the_hubs_to_ask",
            &[],
        ),
        mutant(
            LeavesOut,
            "leaves out whom the hub is to",
            "R5",
            "whom_to_leave_out_is_the_hubs_to_see_to",
            &[],
        ),
        mutant(
            TakesOutForAMoment,
            "takes another out for a moment",
            "R5",
            "a_visit_beside_changes_sees_each_once",
            &[],
        ),
        mutant(
            AsksTheRuntime,
            "needs a runtime in a visit",
            "R6",
            "a_visit_needs_no_runtime",
            &[],
        ),
        mutant(
            ChangesInAVisit,
            "calls the registry from a visit",
            "R6",
            "a_visit_changes_nothing",
            &[],
        ),
        mutant(
            CountsWrong,
            "counts wrong",
            "R7",
            "stats_count_what_is_there",
            &[],
        ),
        mutant(
            InsertsByHalves,
            "inserts by halves",
            "R8",
            "a_dropped_change_is_whole_or_nothing",
            &[],
        ),
    ];
    let mutants = mutants.map(|(fault, name, rule, primary, companions)| Mutant {
        name,
        rule,
        primary,
        companions,
        violations: Box::new(move || violations(move || async move { Broken::new(fault) })),
    });
    assert_caught(
        "Registry",
        &["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"],
        &mutants,
    );
}

#[test]
fn the_wrapper_alone_breaks_nothing() {
    assert_eq!(violations(|| async { MemoryRegistry::new() }), []);
}
