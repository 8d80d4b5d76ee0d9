//! Cases of how a router is started.

use std::sync::Arc;

use sse_core::RouteError;

use super::{
    recorder::{PATIENCE, Recorder},
    support::{Subject, batch, keyed, poll_and_drop, publish, settled, start, started, take, to},
};
use crate::eventually;

pub(crate) async fn publishing_before_start_is_refused(router: Subject) {
    let published = router.publish(to("early").into()).await;
    assert!(
        matches!(published, Err(RouteError::NotStarted)),
        "publish answered {published:?}"
    );
    let taken = router.try_publish(to("early").into());
    assert!(
        matches!(taken, Err(RouteError::NotStarted)),
        "try_publish answered {taken:?}"
    );
}

pub(crate) async fn what_was_refused_before_start_leaves_no_trace(router: Subject) {
    // Whether it is refused is another case.
    drop(router.publish(keyed("ada", "k").into()).await);
    drop(router.try_publish(keyed("ada", "k").into()));
    let recorder = started(&router).await;
    assert_eq!(settled(&router, &recorder).await, [""; 0]);
    publish(&router, keyed("ada", "k")).await;
    assert_eq!(settled(&router, &recorder).await, ["ada"]);
}

pub(crate) async fn a_repeated_start_changes_nothing(router: Subject) {
    let recorder = started(&router).await;
    publish(&router, to("before")).await;
    for _ in 0..2 {
        start(&router, &recorder).await;
    }
    publish(&router, to("after")).await;
    take(&router, to("last")).await;
    let names = settled(&router, &recorder).await;
    assert_eq!(names, ["before", "after", "last"]);
}

pub(crate) async fn a_start_dropped_midway_can_be_repeated(router: Subject) {
    let recorder = Arc::new(Recorder::default());
    let deliver = || Arc::<Recorder>::clone(&recorder);
    for polls in 0..4 {
        poll_and_drop(router.start(deliver()), polls);
    }
    let again = router.start(deliver()).await;
    assert!(again.is_ok(), "it answered {again:?}");
    publish(&router, to("ada")).await;
    assert_eq!(settled(&router, &recorder).await, ["ada"]);
}

pub(crate) async fn another_hub_is_refused(router: Subject) {
    let _recorder = started(&router).await;
    let other = router.start(Arc::<Recorder>::default()).await;
    assert!(
        matches!(other, Err(RouteError::Started)),
        "it answered {other:?}"
    );
}

pub(crate) async fn a_refused_hub_gets_nothing(router: Subject) {
    let recorder = started(&router).await;
    let other = Arc::new(Recorder::default());
    // Whether it is refused is another case.
    drop(router.start(Arc::<Recorder>::clone(&other)).await);
    publish(&router, to("ada")).await;
    take(&router, to("bob")).await;
    // What is looked for may come to either.
    publish(&router, to("last")).await;
    let both = || recorder.knows("last") || other.knows("last");
    eventually("a delivery", PATIENCE, both).await;
    assert_eq!(other.names(), [""; 0], "it got");
    assert_eq!(recorder.names(), ["ada", "bob", "last"]);
}

pub(crate) async fn positions_come_after_the_head(router: Subject) {
    let recorder = Arc::new(Recorder::default());
    let head = start(&router, &recorder).await;
    let first = publish(&router, to("ada")).await;
    for position in first.iter().filter_map(|accepted| accepted.position) {
        assert!(
            position > head,
            "the head is {head}, the first position {position}"
        );
    }
}

pub(crate) async fn positions_come_after_every_head(router: Subject) {
    let recorder = Arc::new(Recorder::default());
    let mut heads = vec![start(&router, &recorder).await];
    for _ in 0..3 {
        // Whether it may be repeated is another case.
        heads.extend(router.start(Arc::<Recorder>::clone(&recorder)).await);
        let mut accepted = publish(&router, to("ada")).await;
        accepted.extend(take(&router, batch(["bob", "cy"])).await);
        for position in accepted.iter().filter_map(|accepted| accepted.position) {
            assert!(
                heads.iter().all(|head| position > *head),
                "the heads were {heads:?}, then there is {position:?}"
            );
        }
    }
}
