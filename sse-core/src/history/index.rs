use std::{
    collections::{BinaryHeap, HashMap, VecDeque},
    hash::Hash,
};

use smallvec::SmallVec;

use super::Viewer;
use crate::{ClientId, EventId, GroupName, Scope, Target};

/// What one place takes that is the only one under its name: the name, its entry in the map, and a
/// list.
const PLACE: usize = 192;

/// Which kept events can be for whom: the sequences, ascending, by whom they are addressed to.
#[derive(Debug, Default)]
pub(super) struct Index {
    everybody: VecDeque<u64>,
    clients: Lists<ClientId>,
    groups: Lists<GroupName>,
    ids: Lists<EventId>,
}

#[derive(Debug)]
struct Lists<K>(HashMap<K, VecDeque<u64>>);

impl<K> Default for Lists<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Lists<K> {
    fn push(&mut self, key: &K, sequence: u64) {
        match self.0.get_mut(key) {
            Some(list) => list.push_back(sequence),
            None => drop(self.0.insert(key.clone(), VecDeque::from([sequence]))),
        }
    }

    /// Takes out the oldest of `key`, which `sequence` is.
    fn pop(&mut self, key: &K, sequence: u64) {
        let Some(list) = self.0.get_mut(key) else {
            return;
        };
        debug_assert_eq!(list.front(), Some(&sequence));
        list.pop_front();
        if list.is_empty() {
            self.0.remove(key);
            if self.0.len() * 4 < self.0.capacity() {
                self.0.shrink_to(self.0.len() * 2);
            }
        } else if list.len() * 4 < list.capacity() {
            list.shrink_to(list.len() * 2);
        }
    }
}

impl Index {
    /// How many bytes the places of an event for `target` take, at the most.
    pub(super) fn cost(target: &Target) -> usize {
        PLACE
            * match target.scope() {
                Scope::Clients(clients) => clients.len(),
                _ => 1,
            }
    }

    pub(super) fn push(&mut self, sequence: u64, target: &Target, id: Option<&EventId>) {
        match target.scope() {
            Scope::Client(client) => self.clients.push(client, sequence),
            Scope::Clients(clients) => {
                for client in &**clients {
                    self.clients.push(client, sequence);
                }
            }
            Scope::Group(group) => self.groups.push(group, sequence),
            Scope::Everybody => self.everybody.push_back(sequence),
            Scope::Connection(_) | Scope::Matching(_) => {}
        }
        if let Some(id) = id {
            self.ids.push(id, sequence);
        }
    }

    /// Takes out the oldest event.
    pub(super) fn pop(&mut self, sequence: u64, target: &Target, id: Option<&EventId>) {
        match target.scope() {
            Scope::Client(client) => self.clients.pop(client, sequence),
            Scope::Clients(clients) => {
                for client in &**clients {
                    self.clients.pop(client, sequence);
                }
            }
            Scope::Group(group) => self.groups.pop(group, sequence),
            Scope::Everybody => drop(self.everybody.pop_front()),
            Scope::Connection(_) | Scope::Matching(_) => {}
        }
        if let Some(id) = id {
            self.ids.pop(id, sequence);
        }
    }

    /// The sequences of the events with this id, newest first.
    pub(super) fn of_id(&self, id: &EventId) -> impl Iterator<Item = u64> {
        self.ids.0.get(id).into_iter().flatten().rev().copied()
    }

    /// What can be for `viewer` after `after`, oldest first; each once.
    pub(super) fn after(&self, after: u64, viewer: &Viewer) -> impl Iterator<Item = u64> {
        let lists = self.lists(viewer).into_iter();
        merged(lists.map(move |list| {
            let start = list.partition_point(|sequence| *sequence <= after);
            list.range(start..).map(|sequence| Ascending(*sequence))
        }))
        .map(|Ascending(sequence)| sequence)
    }

    /// What can be for `viewer`, newest first; each once.
    pub(super) fn newest(&self, viewer: &Viewer) -> impl Iterator<Item = u64> {
        let lists = self.lists(viewer).into_iter();
        merged(lists.map(|list| list.iter().rev().copied()))
    }

    fn lists(&self, viewer: &Viewer) -> SmallVec<[&VecDeque<u64>; 4]> {
        let mut lists = SmallVec::from_iter([&self.everybody]);
        lists.extend(self.clients.0.get(viewer.client()));
        if viewer.rule().is_exact() {
            let mut groups: SmallVec<[&GroupName; 4]> = viewer.groups().collect();
            groups.sort_unstable();
            groups.dedup();
            lists.extend(
                groups
                    .into_iter()
                    .filter_map(|group| self.groups.0.get(group)),
            );
        } else {
            let covers = |group| viewer.groups().any(|own| viewer.rule().covers(own, group));
            let groups = self.groups.0.iter().filter(|(group, _)| covers(group));
            lists.extend(groups.map(|(_, list)| list));
        }
        lists
    }
}

/// Greatest first in a heap where the sequence is smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ascending(u64);

impl Ord for Ascending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for Ascending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Merges lists, each of which has its greatest first, into one that has. No two share an element.
fn merged<T: Ord + Copy, I: Iterator<Item = T>>(
    lists: impl Iterator<Item = I>,
) -> impl Iterator<Item = T> {
    let mut lists: SmallVec<[I; 4]> = lists.collect();
    let firsts = lists.iter_mut().enumerate();
    let mut heap: BinaryHeap<(T, usize)> = firsts
        .filter_map(|(at, list)| Some((list.next()?, at)))
        .collect();
    std::iter::from_fn(move || {
        let mut top = heap.peek_mut()?;
        let (first, at) = *top;
        match lists[at].next() {
            Some(next) => *top = (next, at),
            None => drop(std::collections::binary_heap::PeekMut::pop(top)),
        }
        Some(first)
    })
}
