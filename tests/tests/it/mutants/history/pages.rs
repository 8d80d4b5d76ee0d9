use std::{sync::atomic::Ordering, time::Duration};

use sse_core::{
    Bounds, Event, Except, Frame, GroupName, History, HistoryError, Kept, Page, PageLimit,
    Position, Scope, Target, Viewer,
};
use tokio::time::sleep;

use super::{
    Fault::*,
    broken::{Broken, moved, position},
};

/// How many events make a page one of many.
const MANY: usize = 200;

/// The groups that have a say in whom an event is for.
pub(super) fn groups_of(target: &Target) -> impl Iterator<Item = &GroupName> {
    let scope = match target.scope() {
        Scope::Group(group) => Some(group),
        _ => None,
    };
    scope.into_iter().chain(target.group_within())
}

/// The scope alone, not narrowed, and except nobody.
fn plain(target: &Target) -> Target {
    match target.scope() {
        Scope::Client(client) => Target::client(client),
        Scope::Clients(clients) => Target::clients(clients.iter()),
        Scope::Group(group) => Target::group(group),
        Scope::Everybody => Target::everybody(),
        other => panic!("what is for {other:?} isn't kept"),
    }
}

fn but(target: Target, except: Option<&Except>) -> Target {
    match except {
        Some(Except::Connection(id)) => target.except_connection(*id),
        Some(Except::Client(client)) => target.except_client(client),
        _ => target,
    }
}

fn kind(target: &Target) -> u8 {
    match target.scope() {
        Scope::Client(_) | Scope::Clients(_) => 0,
        Scope::Group(_) => 1,
        _ => 2,
    }
}

impl Broken {
    /// Whether it takes an event for one that the viewer sees.
    fn takes(&self, viewer: &Viewer, kept: &Kept) -> bool {
        let (target, position) = (&kept.target, position(kept));
        let sees = viewer.sees(target, position);
        let named = |group: &GroupName| viewer.groups().any(|own| own == group);
        let exact = viewer.rule().is_exact();
        match (self.fault, target.scope()) {
            (Some(TakesPrefixesForTheClient), Scope::Client(client)) => {
                sees || client.as_str().starts_with(viewer.client().as_str())
                    && *target == plain(target)
            }
            (Some(KnowsTheFirstOfAListAlone), Scope::Clients(clients)) => {
                sees && clients.first() == Some(viewer.client())
            }
            (Some(TakesPrefixesForTheGroup), Scope::Group(group)) if exact => {
                let begins = |own: &GroupName| group.as_str().starts_with(own.as_str());
                sees || viewer.groups().any(begins) && *target == plain(target)
            }
            (Some(TakesAGroupForAClient), Scope::Group(group)) => {
                sees || group.as_str() == viewer.client().as_str()
            }
            (Some(MissesEverybodyInTwoGroups), Scope::Everybody) => {
                sees && viewer.groups().count() != 2
            }
            (Some(ForgetsTheGroupWithin), _) => {
                viewer.sees(&but(plain(target), target.except()), position)
            }
            (Some(LeavesNoConnectionOut), _)
                if let Some(Except::Connection(_)) = target.except() =>
            {
                viewer.sees(&plain(target), position)
            }
            (Some(LeavesNoClientOut), _) if let Some(Except::Client(_)) = target.except() => {
                viewer.sees(&plain(target), position)
            }
            (Some(LooksGroupsUpByExactName), _) => sees && groups_of(target).all(named),
            (Some(CoversTheSameNameToo), Scope::Group(group)) if !exact => sees || named(group),
            _ => sees,
        }
    }

    /// Does to a page what is wrong with what it has.
    fn spoil(&self, page: &mut Page, after: Position, viewer: &Viewer, bounds: Bounds) {
        let Page { events, looked_to } = page;
        match self.fault {
            Some(
                TakesPrefixesForTheClient
                | KnowsTheFirstOfAListAlone
                | TakesPrefixesForTheGroup
                | TakesAGroupForAClient
                | MissesEverybodyInTwoGroups
                | ForgetsTheGroupWithin
                | LeavesNoConnectionOut
                | LeavesNoClientOut
                | LooksGroupsUpByExactName
                | CoversTheSameNameToo,
            ) => {
                let log = self.log().events.into_iter().map(|(_, kept)| kept);
                let span =
                    log.filter(|kept| position(kept) > after && position(kept) <= *looked_to);
                *events = span.filter(|kept| self.takes(viewer, kept)).collect();
            }
            Some(OrdersByTarget) if events.len() > 50 => {
                events.sort_by_key(|kept| kind(&kept.target));
            }
            Some(RepeatsForEachGroup) => {
                let covering = |kept: &Kept| {
                    let covers = |own: &&GroupName| {
                        groups_of(&kept.target).any(|group| viewer.rule().covers(own, group))
                    };
                    viewer.groups().filter(covers).count().max(1)
                };
                let each = events.drain(..).flat_map(|kept| {
                    let times = covering(&kept);
                    std::iter::repeat_n(kept, times)
                });
                *events = each.collect();
            }
            Some(KeepsTheDataAlone) => {
                for kept in events {
                    let event = Event::text("an event").build().unwrap();
                    kept.frame = Frame::new(&event, kept.frame.position());
                }
            }
            Some(SaysThatAllWasForEverybody) => {
                for kept in events {
                    kept.target = Target::everybody();
                }
            }
            Some(SkipsOneOfMany) if events.len() >= MANY => drop(events.remove(MANY / 2)),
            Some(RepeatsOneOfMany) if events.len() >= MANY => {
                events.insert(MANY / 2, events[MANY / 2].clone());
            }
            Some(SwapsTwoOfMany) if events.len() >= MANY => events.swap(MANY / 2, MANY / 2 + 1),
            Some(LosesTheOldest) if after == bounds.floor && after != self.head() => {
                events.remove(0);
            }
            Some(ShowsWhatItForgot) => {
                let forgotten = self.log().forgotten;
                events.splice(0..0, forgotten);
            }
            _ => {}
        }
    }

    /// Does to a page what is wrong with how far it says that it looked.
    fn misplace(&self, page: &mut Page, after: Position, limit: PageLimit, newest: Position) {
        let cut = page.looked_to != newest;
        match self.fault {
            Some(LosesOneAtACut)
                if cut && page.events.len() == limit.events && limit.events > 1 =>
            {
                page.events.pop();
            }
            Some(LooksNowhereWhereNothingIs) if page.looked_to == self.head() => {
                page.looked_to = Position::new(after.epoch(), 0);
            }
            Some(SaysNothingOfEmptyPages) if page.events.is_empty() => page.looked_to = after,
            Some(StaysWhereItBegan) if !page.events.is_empty() => page.looked_to = after,
            Some(SaysTheNewestThoughItIsCut) => page.looked_to = newest,
            Some(LooksPastTheNewest) if !cut => page.looked_to = moved(newest, 1),
            _ => {}
        }
    }

    /// Where a page begins, and how much it may hold.
    fn misread(&self, after: Position, limit: PageLimit) -> (Position, PageLimit) {
        let PageLimit { events, bytes } = limit;
        let (events, bytes) = match self.fault {
            Some(KnowsNoLimitOfEvents) => (usize::MAX, bytes),
            Some(HoldsOneMore) => (events.saturating_add(1), bytes),
            Some(KnowsNoLimitOfBytes) => (events, usize::MAX),
            Some(GoesOverItsBytes) => (events, bytes.saturating_add(1_000)),
            _ => (events, bytes),
        };
        let after = match self.fault {
            Some(KnowsNoEpoch) => Position::new(self.head().epoch(), after.sequence()),
            Some(BeginsEarlyWhereNoEventIs) => {
                let events = self.log().events;
                let mut positions = events.iter().map(|(_, kept)| position(kept));
                let older = positions.clone().rfind(|own| *own < after);
                match older {
                    Some(older)
                        if positions.clone().all(|own| own != after)
                            && positions.any(|own| own > after) =>
                    {
                        moved(older, -1)
                    }
                    _ => after,
                }
            }
            _ => after,
        };
        (after, PageLimit { events, bytes })
    }

    pub(super) async fn page_of(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        self.reading.fetch_add(1, Ordering::SeqCst);
        let page = self.page_beside_others(after, viewer, limit).await;
        self.reading.fetch_sub(1, Ordering::SeqCst);
        page
    }

    async fn page_beside_others(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        let bounds = self.inner.bounds().await?;
        let Bounds { floor, newest, .. } = bounds;
        let (after, most) = self.misread(after, limit);
        let page = self.inner.page(after, viewer, most).await;
        let evicted = matches!(page, Err(HistoryError::Evicted { .. }));
        match self.fault {
            Some(ReturnsWhatIsLeft) if evicted => {
                return self.inner.page(floor, viewer, limit).await;
            }
            Some(ForgetsThatItBegan) if evicted && after < self.head() => {
                return self.inner.page(floor, viewer, limit).await;
            }
            Some(ForgetsWhatItEvicted) if evicted && after >= self.head() => {
                return self.inner.page(floor, viewer, limit).await;
            }
            Some(IsEvictedAtItsFloor) if after == floor && floor != self.head() => {
                return Err(HistoryError::Evicted { floor });
            }
            // Not so late that it would take luck to be asked there, beside appends.
            Some(IsAheadAtTheNewest) if after == newest && newest < moved(self.head(), 100) => {
                return Err(HistoryError::Ahead);
            }
            _ => {}
        }
        let mut page = match page {
            Err(HistoryError::Epoch { floor }) if self.is(TellsOfAnEpochWithoutItsFloor) => {
                let floor = Position::new(floor.epoch(), 0);
                return Err(HistoryError::Epoch { floor });
            }
            Err(HistoryError::Evicted { floor })
                if self.is(TakesTheOldestForTheFloor) && floor != self.head() =>
            {
                let floor = moved(floor, 1);
                return Err(HistoryError::Evicted { floor });
            }
            Err(HistoryError::Ahead) if self.is(IsNeverAhead) => Page {
                events: Vec::new(),
                looked_to: after,
            },
            page => page?,
        };
        let too_large = page
            .events
            .first()
            .is_some_and(|kept| kept.frame.len() > limit.bytes);
        if self.is(HoldsNothingTooLarge) && too_large
            || self.is(HoldsNoneOfNone) && limit.events == 0
        {
            page.events.clear();
            page.looked_to = after;
        }
        self.spoil(&mut page, after, viewer, bounds);
        self.misplace(&mut page, after, limit, newest);
        if self.is(LooksToWhatCameMeanwhile) || self.is(LosesWhatComesBesideAPage) {
            // Time enough for whoever appends beside it.
            sleep(Duration::from_millis(1)).await;
        }
        if self.is(LooksToWhatCameMeanwhile) && page.looked_to == newest {
            page.looked_to = self.inner.bounds().await?.newest;
        }
        Ok(page)
    }
}
