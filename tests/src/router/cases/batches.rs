//! Cases of what a batch is answered.

use sse_core::{Accepted, Batch, Event, Position, Publication, RouteError};

use super::{
    recorder::MARKER,
    support::{
        Subject, all_accepted, batch, built, client, held_up, keyed, publication, publish, settled,
        started, take, taken, to,
    },
};

pub(crate) async fn each_publication_has_an_answer(router: Subject) {
    let _recorder = started(&router).await;
    for count in 1..=4 {
        let names = ["ada", "bob", "cy", "dee"];
        let names = &names[..count];
        let published = publish(&router, batch(names)).await;
        assert_eq!(published.len(), count, "answers of publish");
        let taken = take(&router, batch(names)).await;
        assert_eq!(taken.len(), count, "answers of try_publish");
    }
}

pub(crate) async fn an_empty_batch_has_an_empty_answer(router: Subject) {
    let recorder = started(&router).await;
    let empty = || Batch::from_iter([]);
    let published = router.publish(empty()).await;
    assert!(
        matches!(&published, Ok(accepted) if accepted.is_empty()),
        "publish answered {published:?}"
    );
    let taken = match router.try_publish(empty()) {
        Ok(pending) => pending.await,
        Err(error) => Err(error),
    };
    assert!(
        matches!(&taken, Ok(accepted) if accepted.is_empty()),
        "try_publish answered {taken:?}"
    );
    assert_eq!(settled(&router, &recorder).await, [""; 0]);
}

pub(crate) async fn a_batch_has_consecutive_positions(router: Subject) {
    let _recorder = started(&router).await;
    for _ in 0..2 {
        assert_consecutive(&publish(&router, batch(["ada", "bob", "cy"])).await);
        assert_consecutive(&take(&router, batch(["ada", "bob", "cy"])).await);
    }
}

/// Those of a batch which are kept follow one another.
#[track_caller]
fn assert_consecutive(accepted: &[Accepted]) {
    let kept = accepted.iter().filter(|accepted| !accepted.duplicate);
    let positions: Vec<Position> = kept.filter_map(|accepted| accepted.position).collect();
    for pair in positions.windows(2) {
        assert!(
            pair[0].epoch() == pair[1].epoch() && pair[0].sequence() + 1 == pair[1].sequence(),
            "its positions are {positions:?}"
        );
    }
}

/// Publishes a batch of these in every way.
async fn assert_no_holes<const N: usize>(
    router: &Subject,
    batch: impl Fn() -> [Publication; N] + Send + Sync,
) {
    for _ in 0..2 {
        let batch = || batch().into_iter().collect::<Batch>();
        assert_consecutive(&publish(router, batch()).await);
        assert_consecutive(&take(router, batch()).await);
    }
}

pub(crate) async fn a_duplicate_leaves_no_hole(router: Subject) {
    let _recorder = started(&router).await;
    publish(&router, keyed("ada", "k")).await;
    let of_another = || [to("bob"), keyed("ada", "k"), to("cy")];
    assert_no_holes(&router, of_another).await;
    let own = publish(
        &router,
        [keyed("bob", "j"), keyed("bob", "j"), to("cy")]
            .into_iter()
            .collect::<Batch>(),
    );
    assert_consecutive(&own.await);
}

pub(crate) async fn a_transient_event_leaves_no_hole(router: Subject) {
    let _recorder = started(&router).await;
    let transient = || publication(client("ada"), built(Event::text("x").transient()));
    assert_no_holes(&router, || [to("bob"), transient(), to("cy")]).await;
}

pub(crate) async fn a_transient_event_has_no_position(router: Subject) {
    let recorder = started(&router).await;
    let transient = || publication(client("ada"), built(Event::text("x").transient()));
    let alone = publish(&router, transient()).await;
    let between: Batch = [to("bob"), transient(), to("cy")].into_iter().collect();
    let between = publish(&router, between).await;
    let positions = [alone.first(), between.get(1)].map(|a| a.and_then(|a| a.position));
    assert_eq!(positions, [None, None], "positions in the answers");
    settled(&router, &recorder).await;
    let transient = recorder
        .routed()
        .into_iter()
        .filter(|r| r.target == client("ada"));
    let positions: Vec<_> = transient.map(|r| r.frame.position()).collect();
    assert_eq!(positions, [None, None], "positions of the frames");
}

pub(crate) async fn a_full_router_refuses_a_batch_as_a_whole(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let full = taken(&router, MARKER, 100_000).await;
    let mut tries = 0;
    let refused = loop {
        let taken = router.try_publish(batch(["1", "2", "3"]));
        if let Err(error) = taken {
            break Some(error);
        }
        tries += 1;
        if tries > 3 {
            // That it is never busy is another case.
            break None;
        }
    };
    drop(held);
    all_accepted(full).await;
    assert!(
        matches!(refused, None | Some(RouteError::Busy)),
        "it answered {refused:?}"
    );
    let names = settled(&router, &recorder).await;
    assert_eq!(names, ["1", "2", "3"].repeat(tries), "what was delivered");
}
