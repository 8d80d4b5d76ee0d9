//! Cases of a shutdown, and of what a router never says.

use std::{collections::BTreeSet, sync::Arc, task::Poll};

use sse_core::RouteError;
use tokio::{sync::watch, task::yield_now, time::timeout};

use super::{
    recorder::{PATIENCE, Recorder},
    support::{
        Answer, Subject, batch, elsewhere, held_up, numbered, poll, poll_and_drop, publish,
        publishing, settled, started, take, taken, to,
    },
};

pub(crate) async fn nothing_is_lost_without_a_cause(router: Subject) {
    let recorder = started(&router).await;
    publish(&router, to("ada")).await;
    publish(&router, batch(["bob", "cy"])).await;
    take(&router, to("ada")).await;
    for polls in 0..3 {
        poll_and_drop(router.publish(to("dropped").into()), polls);
    }
    // Whether it may be repeated is another case.
    drop(router.start(Arc::<Recorder>::clone(&recorder)).await);
    settled(&router, &recorder).await;
    router.shutdown().await;
    assert_eq!(
        recorder.losses(),
        0,
        "how often it said that events were lost"
    );
}

#[track_caller]
fn assert_closed(what: &str, answer: &Answer) {
    assert!(
        matches!(answer, Err(RouteError::Closed)),
        "{what} answered {answer:?}"
    );
}

pub(crate) async fn after_shutdown_publishing_is_closed(router: Subject) {
    let recorder = started(&router).await;
    publish(&router, to("before")).await;
    router.shutdown().await;
    for names in [&["ada"] as &[_], &["ada", "bob"], &[]] {
        assert_closed("publish", &router.publish(batch(names)).await);
        let taken = match router.try_publish(batch(names)) {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        };
        assert_closed("try_publish", &taken);
    }
    yield_now().await;
    assert_eq!(recorder.names(), ["before"]);
}

pub(crate) async fn after_shutdown_starting_is_closed(router: Subject) {
    let recorder = started(&router).await;
    router.shutdown().await;
    let started = router.start(recorder).await;
    assert!(
        matches!(started, Err(RouteError::Closed)),
        "it answered {started:?}"
    );
}

pub(crate) async fn what_is_underway_at_a_shutdown_is_delivered_or_closed(router: Subject) {
    let recorder = started(&router).await;
    let mut underway = publishing(&router, batch(["1", "2"]));
    let answer = poll(underway.as_mut());
    router.shutdown().await;
    let delivered = recorder.names();
    let answer = match answer {
        Poll::Ready(answer) => answer,
        Poll::Pending => underway.await,
    };
    match answer {
        Ok(_) => assert_eq!(delivered, ["1", "2"], "accepted before"),
        closed => {
            assert_closed("publish", &closed);
            assert_eq!(recorder.names(), [""; 0], "it was closed");
        }
    }
    yield_now().await;
    assert_eq!(recorder.names(), delivered, "delivered later");
}

pub(crate) async fn a_second_shutdown_returns(router: Subject) {
    let _recorder = started(&router).await;
    publish(&router, to("ada")).await;
    tokio::join!(router.shutdown(), router.shutdown());
    for _ in 0..2 {
        let again = timeout(PATIENCE, router.shutdown()).await;
        assert!(again.is_ok(), "another one waits for ever");
    }
}

pub(crate) async fn a_shutdown_needs_no_start(router: Subject) {
    let shutdown = timeout(PATIENCE, router.shutdown()).await;
    assert!(shutdown.is_ok(), "it waits for ever");
    assert_closed("publish", &router.publish(to("ada").into()).await);
}

pub(crate) async fn a_shutdown_waits_for_the_delivery_that_is_made(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let mut shutdown = router.shutdown();
    let early = poll(shutdown.as_mut()).is_ready();
    assert!(!early, "it returned while something was being delivered");
    drop(held);
    let ended = timeout(PATIENCE, shutdown).await;
    assert!(ended.is_ok(), "it waits for ever");
    assert!(!recorder.is_inside(), "it returned before a delivery did");
}

pub(crate) async fn a_shutdown_that_is_dropped_has_closed(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    poll_and_drop(router.shutdown(), 1);
    let publisher = Arc::clone(&router);
    let tried = move || publisher.try_publish(to("late").into());
    let taken = elsewhere("try_publish", tried).await;
    drop(held);
    let taken = match taken {
        Ok(pending) => pending.await,
        Err(error) => Err(error),
    };
    assert_closed("try_publish", &taken);
    assert_closed("publish", &router.publish(to("late").into()).await);
    assert_eq!(recorder.names(), [""; 0], "it was closed");
}

pub(crate) async fn a_repeated_shutdown_waits_too(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    poll_and_drop(router.shutdown(), 1);
    let mut again = router.shutdown();
    let early = poll(again.as_mut()).is_ready();
    assert!(!early, "it returned while something was being delivered");
    drop(held);
    let ended = timeout(PATIENCE, again).await;
    assert!(ended.is_ok(), "it waits for ever");
    assert!(!recorder.is_inside(), "it returned before a delivery did");
}

pub(crate) async fn shutdown_returns_when_all_is_delivered(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let taken = taken(&router, "n", 50).await;
    let mut shutdown = router.shutdown();
    let delivered = if poll(shutdown.as_mut()).is_ready() {
        recorder.names()
    } else {
        drop(held);
        let ended = timeout(PATIENCE, shutdown).await;
        assert!(ended.is_ok(), "it waits for ever");
        recorder.names()
    };
    // In which order is another case.
    let delivered: BTreeSet<_> = delivered.into_iter().collect();
    let expected = numbered("n", 0..taken.len()).into_iter().collect();
    assert_eq!(delivered, expected, "when it returned");
    for pending in taken {
        let answer = pending.await;
        assert!(answer.is_ok(), "what was taken before is {answer:?}");
    }
}

/// How many publish beside a shutdown, and how much before they wait for its end.
const PUBLISHERS: usize = 4;
const EVENTS: usize = 20;

pub(crate) async fn publishing_beside_a_shutdown_is_delivered_or_closed(router: Subject) {
    let recorder = started(&router).await;
    let (over, ended) = watch::channel(());
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let (router, mut ended) = (Arc::clone(&router), ended.clone());
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for (n, name) in numbered(&format!("p{publisher}n"), 0..EVENTS)
                    .into_iter()
                    .enumerate()
                {
                    if n + 1 == EVENTS {
                        // The last comes when it is over.
                        ended.changed().await.expect("it tells");
                    }
                    match router.publish(to(&name).into()).await {
                        Ok(_) => accepted.push(name),
                        Err(RouteError::Closed) => break,
                        Err(error) => panic!("publish answered {error:?}"),
                    }
                    yield_now().await;
                }
                accepted
            })
        })
        .collect();
    while recorder.begun() < EVENTS {
        yield_now().await;
    }
    router.shutdown().await;
    let mut delivered = recorder.names();
    over.send_replace(());
    let mut accepted = Vec::new();
    for publisher in publishers {
        accepted.extend(publisher.await.expect("publishing works beside a shutdown"));
    }
    assert_eq!(recorder.names(), delivered, "delivered after it");
    delivered.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(delivered, accepted, "delivered and accepted");
}
