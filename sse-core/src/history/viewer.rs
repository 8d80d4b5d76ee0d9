use smallvec::SmallVec;

use super::GroupRule;
use crate::{ClientId, ConnectionId, Except, GroupName, Position, Scope, Target};

/// For whom a history is read: a connection, whose client it is, and in which groups it was when.
#[derive(Debug, Clone)]
pub struct Viewer {
    connection: ConnectionId,
    client: ClientId,
    memberships: SmallVec<[Membership; 1]>,
    rule: GroupRule,
}

/// A group, and from which event to which the viewer was in it.
#[derive(Debug, Clone)]
struct Membership {
    group: GroupName,
    /// After which position it joined; none where it was in it from the beginning.
    after: Option<Position>,
    /// The last position before it left.
    until: Option<Position>,
}

impl Membership {
    /// Positions of another epoch come later than those at which the viewer came and went.
    fn holds_at(&self, position: Position) -> bool {
        let joined = self.after.is_none_or(|after| !position.is_up_to(after));
        let stays = self.until.is_none_or(|until| position <= until);
        joined && stays
    }
}

impl Viewer {
    /// A connection of `client`, in each of `groups` from the beginning.
    pub fn new(
        connection: ConnectionId,
        client: impl Into<ClientId>,
        groups: impl IntoIterator<Item = GroupName>,
        rule: GroupRule,
    ) -> Self {
        let memberships = groups.into_iter().map(|group| Membership {
            group,
            after: None,
            until: None,
        });
        Self {
            connection,
            client: client.into(),
            memberships: memberships.collect(),
            rule,
        }
    }

    /// Whose connection it is.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// The groups that it is or was in; one may be named several times.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.memberships.iter().map(|membership| &membership.group)
    }

    /// Which groups' events a member of a group gets.
    #[must_use]
    pub const fn rule(&self) -> &GroupRule {
        &self.rule
    }

    /// Whether a kept event at `position` for `target` is for it.
    #[must_use]
    pub fn sees(&self, target: &Target, position: Position) -> bool {
        let in_scope = match target.scope() {
            Scope::Everybody => true,
            Scope::Client(client) => *client == self.client,
            Scope::Clients(clients) => clients.binary_search(&self.client).is_ok(),
            Scope::Group(group) => self.is_in(group, position),
            // Those are live only.
            Scope::Connection(_) | Scope::Matching(_) => false,
        };
        let left_out = match target.except() {
            None => false,
            Some(Except::Connection(id)) => *id == self.connection,
            Some(Except::Client(client)) => *client == self.client,
        };
        let within = |group| self.is_in(group, position);
        in_scope && !left_out && target.group_within().is_none_or(within)
    }

    /// Whether it was in `group`, or in one whose members get its events, at `position`.
    pub(crate) fn is_in(&self, group: &GroupName, position: Position) -> bool {
        let mut memberships = self.memberships.iter();
        memberships.any(|own| own.holds_at(position) && self.rule.covers(&own.group, group))
    }

    /// Also in `group`, from the event after `at` on.
    pub(crate) fn join(&mut self, group: GroupName, at: Option<Position>) {
        let mut memberships = self.memberships.iter();
        if !memberships.any(|own| own.until.is_none() && own.group == group) {
            self.memberships.push(Membership {
                group,
                after: at,
                until: None,
            });
        }
    }

    /// Not in `group` any more, from the event after `at` on.
    pub(crate) fn leave(&mut self, group: &GroupName, at: Position) {
        let open = self.memberships.iter_mut();
        for own in open.filter(|own| own.until.is_none() && own.group == *group) {
            own.until = Some(at);
        }
        // Who was in a group for no event at all wasn't.
        self.memberships
            .retain(|own| own.until.is_none() || own.after != own.until);
    }

    /// Forgets what ended before `position`, up to where nothing is read any more.
    pub(crate) fn forget_before(&mut self, position: Position) {
        self.memberships
            .retain(|own| own.until.is_none_or(|until| !until.is_up_to(position)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    fn client(name: &str) -> ClientId {
        ClientId::new(name).unwrap()
    }

    fn at(sequence: u64) -> Position {
        Position::new(1, sequence)
    }

    fn ada(groups: &[&str]) -> (ConnectionId, Viewer) {
        let id = ConnectionId::random().unwrap();
        let groups = groups.iter().map(|name| group(name));
        let viewer = Viewer::new(id, client("ada"), groups, GroupRule::exact());
        (id, viewer)
    }

    #[test]
    fn sees_what_is_for_it() {
        let (id, viewer) = ada(&["g"]);
        let (own, other) = (client("ada"), client("bob"));
        let (g, h) = (group("g"), group("h"));
        let seen = [
            Target::everybody(),
            Target::client(&own),
            Target::clients([&other, &own]),
            Target::group(&g),
            Target::client(&own).within(&g),
            Target::everybody().within(&g).except_client(&other),
        ];
        for target in seen {
            assert!(viewer.sees(&target, at(1)), "{target:?}");
        }
        let unseen = [
            Target::client(&other),
            Target::clients([&other]),
            Target::group(&h),
            Target::client(&own).within(&h),
            Target::everybody().except_client(&own),
            Target::everybody().except_connection(id),
            Target::connection(id),
        ];
        for target in unseen {
            assert!(!viewer.sees(&target, at(1)), "{target:?}");
        }
    }

    #[test]
    fn is_in_a_group_from_when_it_joined_to_when_it_left() {
        let (_, mut viewer) = ada(&["g"]);
        let (g, h) = (group("g"), group("h"));
        viewer.join(h.clone(), Some(at(5)));
        viewer.join(h.clone(), Some(at(6)));
        viewer.leave(&g, at(7));
        viewer.leave(&h, at(8));
        viewer.join(h.clone(), Some(at(9)));
        let seen = |name: &GroupName| -> Vec<u64> {
            let target = Target::group(name);
            (1..12).filter(|p| viewer.sees(&target, at(*p))).collect()
        };
        assert_eq!(seen(&g), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(seen(&h), [6, 7, 8, 10, 11]);
        viewer.forget_before(at(8));
        assert_eq!(viewer.groups().collect::<Vec<_>>(), [&h]);
    }

    #[test]
    fn comings_and_goings_at_one_place_leave_nothing() {
        let (_, mut viewer) = ada(&[]);
        for _ in 0..1_000 {
            viewer.join(group("g"), Some(at(3)));
            viewer.leave(&group("g"), at(3));
        }
        assert_eq!(viewer.groups().count(), 0);
    }

    #[test]
    fn a_rule_says_what_a_membership_covers() {
        let rule = GroupRule::new(|joined, addressed| {
            let prefix = joined.as_str().strip_suffix('*');
            prefix.is_some_and(|prefix| addressed.as_str().starts_with(prefix))
        });
        let id = ConnectionId::random().unwrap();
        let viewer = Viewer::new(id, client("ada"), [group("orders.*")], rule);
        assert!(viewer.sees(&Target::group(group("orders.eu")), at(1)));
        assert!(!viewer.sees(&Target::group(group("users.eu")), at(1)));
    }
}
