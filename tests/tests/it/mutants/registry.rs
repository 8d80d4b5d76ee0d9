//! Registries that break a rule each: the one in the box, with one thing done wrong.

mod posting;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use parking_lot::Mutex;
use sse_conformance::registry::violations;
use sse_core::{
    Connection, ConnectionId, Except, GroupName, GroupRule, MemoryRegistry, Registry,
    RegistryError, RegistryStats, Scope, Target, async_trait,
};
use tokio::{runtime::Handle, task::yield_now, time::sleep};

use self::posting::{Post, Posting};
use crate::mutants::report::{ALL_AT_ONCE, assert_caught, faults};

faults! {
    /// What a registry does wrong.
    enum Fault;
    VisitsNoNewcomer: R1 an_inserted_connection_is_visited
        + the_group_rule_says_whom_a_visit_finds;
    LosesAGroup: R1 a_connection_brings_its_groups_along;
    TakesASecondInsert: R2 a_second_insert_is_refused;
    ReplacesAtASecondInsert: R2 a_refused_insert_changes_nothing;
    ReturnsNothing: R3 remove_returns_what_insert_took;
    ForgetsToRemove: R3 a_removed_connection_is_not_visited
        + a_dropped_change_is_whole_or_nothing
        + a_removed_connection_can_come_back
        + a_visit_beside_changes_sees_each_once
        + remove_returns_what_insert_took
        + stats_count_what_is_there
        + the_last_connection_takes_its_client_along
        + the_last_member_takes_its_group_along
        + what_a_connection_joined_goes_with_it;
    LeavesAnEmptyClient: R3 the_last_connection_takes_its_client_along
        + a_dropped_change_is_whole_or_nothing;
    LeavesAnEmptyGroup: R3 the_last_member_takes_its_group_along
        + a_dropped_change_is_whole_or_nothing
        + what_a_connection_joined_goes_with_it;
    NeverTakesBack: R3 a_removed_connection_can_come_back
        + what_a_connection_joined_goes_with_it;
    AlwaysSaysThatItJoined: R4 join_and_leave_tell_what_they_changed;
    LetsStrangersJoin: R4 a_stranger_can_neither_join_nor_leave;
    JoinsLater: R4 a_join_that_returned_is_in_effect
        + a_change_is_of_one_connection_alone
        + what_a_connection_joined_goes_with_it
        + stats_count_what_is_there
        + the_group_rule_says_whom_a_visit_finds
        + the_last_member_takes_its_group_along;
    LeavesLater: R4 a_leave_that_returned_is_in_effect
        + a_change_is_of_one_connection_alone
        + the_last_member_takes_its_group_along;
    RemembersWhatWasJoined: R3 what_a_connection_joined_goes_with_it;
    JoinsForTheClient: R4 a_change_is_of_one_connection_alone;
    LeavesForTheClient: R4 a_change_is_of_one_connection_alone
        + stats_count_what_is_there;
    IgnoresCase: R4 a_group_is_told_by_its_exact_name;
    MatchesPrefixes: R5 a_client_is_each_of_its_connections;
    ForgetsALaterClient: R5 clients_are_each_of_their_connections
        + a_visit_beside_changes_sees_each_once;
    TakesAConnectionForItsClient: R5 a_connection_is_itself_alone;
    SkipsAMember: R5 a_group_is_its_members;
    SkipsOneOfAll: R5 everybody_is_everybody;
    NarrowsNoConnection: R5 each_scope_can_be_narrowed_to_a_group;
    DeliversTwice: R5 nobody_is_visited_twice
        + each_scope_can_be_narrowed_to_a_group;
    KnowsNoPredicate: R5 a_predicate_is_the_hubs_to_ask
        + each_scope_can_be_narrowed_to_a_group;
    LeavesOut: R5 whom_to_leave_out_is_the_hubs_to_see_to;
    TakesOutForAMoment: R5 a_visit_beside_changes_sees_each_once;
    AsksTheRuntime: R6 a_visit_needs_no_runtime;
    RemovesInAVisit: R6 a_visit_changes_nothing;
    JoinsInAVisit: R6 a_visit_changes_nothing;
    LeavesInAVisit: R6 a_visit_changes_nothing;
    CountsWrong: R7 stats_count_what_is_there;
    InsertsByHalves: R8 a_dropped_change_is_whole_or_nothing;
    CoversTooMuch: R9 the_group_rule_says_whom_a_visit_finds;
    CoversTooLittle: R9 the_group_rule_says_whom_a_visit_finds;
}

use Fault::*;

#[derive(Debug)]
struct Broken {
    fault: Fault,
    inner: MemoryRegistry,
    /// A change that is put off.
    later: Mutex<Option<(ConnectionId, GroupName)>>,
    removed: Mutex<Vec<ConnectionId>>,
    joined: Mutex<Vec<(ConnectionId, GroupName)>>,
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
            joined: Mutex::default(),
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

    /// Does what was put off, if it still can be done.
    async fn catch_up(&self) {
        let later = self.later.lock().take();
        if let Some((id, group)) = later {
            drop(match self.fault {
                JoinsLater => self.inner.join(id, group).await,
                _ => self.inner.leave(id, &group).await,
            });
        }
    }

    /// The other connections of the same client.
    fn siblings(&self, id: ConnectionId) -> Vec<ConnectionId> {
        let own = self.found(&Target::connection(id)).pop();
        let all = own.map(|own| self.found(&Target::client(own.client())));
        let others = all.unwrap_or_default().into_iter().map(|other| other.id());
        others.filter(|other| *other != id).collect()
    }

    /// What a visit does with a connection that is closed, and is the hub's to do.
    fn tidy_up(&self, connection: &Connection) {
        if !connection.sink().is_closed() {
            return;
        }
        let id = connection.id();
        let group = |name| GroupName::new(name).unwrap();
        let tidied = async {
            match self.fault {
                JoinsInAVisit => drop(self.inner.join(id, group("closed")).await),
                LeavesInAVisit => drop(self.inner.leave(id, &group("red")).await),
                _ => drop(self.inner.remove(id).await),
            }
        };
        tidied.now_or_never().unwrap();
    }

    fn is_in(&self, id: ConnectionId, group: &GroupName) -> bool {
        !self.found(&Target::connection(id).within(group)).is_empty()
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
                if let [_, _, third] = &groups[..] {
                    self.inner.leave(id, third).await?;
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
            (RemembersWhatWasJoined, _) => {
                let joined = self.joined.lock().clone();
                for (_, group) in joined.into_iter().filter(|(other, _)| *other == id) {
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
        self.catch_up().await;
        let there = !self.found(&Target::connection(id)).is_empty();
        match self.fault {
            LetsStrangersJoin if !there => return Ok(true),
            JoinsLater if there => {
                let member = self.is_in(id, &group);
                *self.later.lock() = Some((id, group));
                return Ok(!member);
            }
            _ => {}
        }
        let group = match self.fault {
            IgnoresCase => GroupName::new(group.as_str().to_lowercase()).unwrap(),
            _ => group,
        };
        if self.fault == RemembersWhatWasJoined {
            self.joined.lock().push((id, group.clone()));
        }
        if self.fault == JoinsForTheClient {
            for other in self.siblings(id) {
                self.inner.join(other, group.clone()).await?;
            }
        }
        let joined = self.inner.join(id, group).await?;
        self.note();
        Ok(joined || self.fault == AlwaysSaysThatItJoined)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        self.catch_up().await;
        if self.fault == LeavesLater && self.is_in(id, group) {
            *self.later.lock() = Some((id, group.clone()));
            return Ok(true);
        }
        if self.fault == LeavesForTheClient {
            for other in self.siblings(id) {
                self.inner.leave(other, group).await?;
            }
        }
        self.inner.leave(id, group).await
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        let mut found = self.found(target);
        match (self.fault, target.scope()) {
            (VisitsNoNewcomer, _) if self.inner.stats().connections == 1 => {
                found.retain(|connection| !connection.groups().is_empty());
            }
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
            (RemovesInAVisit | JoinsInAVisit | LeavesInAVisit, _) => {
                found.iter().for_each(|connection| self.tidy_up(connection));
            }
            _ => {}
        }
        found.iter().for_each(each);
    }

    fn group_rule(&self) -> GroupRule {
        match self.fault {
            CoversTooMuch => GroupRule::new(|_, _| true),
            CoversTooLittle => GroupRule::new(|_, _| false),
            _ => self.inner.group_rule(),
        }
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

#[test]
fn every_broken_registry_is_found_out() {
    let run = |fault| violations(move || async move { Broken::new(fault) });
    assert_caught(
        "Registry",
        Fault::ALL,
        ALL_AT_ONCE,
        run,
        &["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"],
    );
}

#[test]
fn a_registry_that_makes_its_changes_in_a_task_breaks_nothing() {
    assert_eq!(violations(|| async { Posting::new(Post::Task) }), []);
}

#[test]
fn a_registry_that_makes_its_changes_on_a_thread_breaks_nothing() {
    assert_eq!(violations(|| async { Posting::new(Post::Thread) }), []);
}
