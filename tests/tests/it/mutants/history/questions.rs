use sse_core::{Bounds, EventId, GroupName, History, HistoryError, Kept, Latest, Position, Viewer};

use super::{
    Fault::*,
    broken::{Broken, Log, moved, position},
};

/// Whether the viewer sees an event, where it is one for a group of a name that the viewer has.
fn by_exact_name(viewer: &Viewer, kept: &Kept) -> bool {
    let named = |group: &GroupName| viewer.groups().any(|own| own == group);
    super::pages::groups_of(&kept.target).all(named) && viewer.sees(&kept.target, position(kept))
}

impl Broken {
    pub(super) async fn located(
        &self,
        id: &EventId,
        viewer: &Viewer,
    ) -> Result<Option<Position>, HistoryError> {
        let Log {
            events, forgotten, ..
        } = self.log();
        let floor = self.inner.bounds().await?.floor;
        let named = |kept: &&Kept| kept.frame.event_id() == Some(id);
        let sees = |kept: &&Kept| viewer.sees(&kept.target, position(kept));
        let all = || events.iter().map(|(_, kept)| kept);
        let kept = || all().filter(|kept| position(kept) > floor);
        let found = match self.fault {
            Some(LocatesTheOldest) => kept().filter(named).find(sees),
            Some(LocatesWhatIsForOthers) => kept().rev().find(named),
            Some(LocatesWhatIsGone) => all().rev().filter(named).find(sees),
            Some(LocatesByExactName) => {
                let mut named = kept().rev().filter(named);
                named.find(|kept| by_exact_name(viewer, kept))
            }
            Some(IgnoresTheCaseOfIds) => {
                let same = |own: &EventId| own.as_str().eq_ignore_ascii_case(id.as_str());
                let mut seen = kept().rev().filter(sees);
                seen.find(|kept| kept.frame.event_id().is_some_and(same))
            }
            Some(LocatesWhatItForgot) => {
                let all = forgotten.iter().chain(kept());
                all.rev().filter(named).find(sees)
            }
            _ => return self.inner.locate(id, viewer).await,
        };
        Ok(found.map(position))
    }

    pub(super) async fn begin_of(
        &self,
        wanted: Latest,
        viewer: &Viewer,
    ) -> Result<Position, HistoryError> {
        let Log { head, events, .. } = self.log();
        let Bounds { floor, newest, .. } = self.inner.bounds().await?;
        let right = self.inner.latest(wanted, viewer).await?;
        let kept = || events.iter().filter(|(_, kept)| position(kept) > floor);
        let counted = |count: usize, is: &dyn Fn(&Kept) -> bool| {
            let mut newest = kept().rev().filter(|(_, kept)| is(kept));
            newest
                .nth(count.saturating_sub(1))
                .map(|(_, first)| position(first))
        };
        let sees = |kept: &Kept| viewer.sees(&kept.target, position(kept));
        Ok(match (self.fault, wanted) {
            (Some(SaysTheFloorForNone), Latest::Events(0)) => floor,
            (_, Latest::Events(0)) => right,
            (Some(BeginsOneTooLate), Latest::Events(count)) => {
                counted(count, &sees).unwrap_or(right)
            }
            (Some(BeginsOneTooEarly), Latest::Events(count)) => {
                let wanted = Latest::Events(count.saturating_add(1));
                self.inner.latest(wanted, viewer).await?
            }
            (Some(CountsWhatIsForOthers), Latest::Events(count)) => {
                counted(count, &|_| true).map_or(floor, |first| moved(first, -1))
            }
            (Some(CountsByExactName), Latest::Events(count)) => {
                let first = counted(count, &|kept| by_exact_name(viewer, kept));
                first.map_or(floor, |first| moved(first, -1))
            }
            (Some(SaysTheNewestForFewer), Latest::Events(count)) => {
                counted(count, &sees).map_or(newest, |_| right)
            }
            (Some(ForgetsWhenItWas), Latest::Since(_)) => floor,
            (Some(BeginsAtTheFirstSince), Latest::Since(time)) => {
                let mut since = kept().filter(|(published, _)| *published >= time);
                since.next().map_or(right, |(_, first)| position(first))
            }
            (Some(SaysWhereItBeganForAll), Latest::Since(_)) if right == floor => head,
            (Some(SaysTheFloorSinceTheLast), Latest::Since(_)) if right == newest => floor,
            _ => right,
        })
    }
}
