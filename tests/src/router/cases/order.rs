//! Cases of the order of deliveries.

use std::{
    collections::BTreeMap,
    sync::{Arc, Barrier},
};

use sse_core::{Accepted, Position, RouteError};
use tokio::{
    runtime::Handle,
    task::{spawn_blocking, yield_now},
};

use super::{
    recorder::Recorder,
    support::{
        Subject, batch, held_up, numbered, poll, publish, publishing, settled, started, take,
        taken, to, tried_or_blocked,
    },
};

pub(crate) async fn the_order_is_that_of_publishing(router: Subject) {
    let recorder = started(&router).await;
    for n in (0..20).step_by(4) {
        publish(&router, to(&format!("n{n}"))).await;
        take(&router, to(&format!("n{}", n + 1))).await;
        publish(&router, batch(numbered("n", n + 2..n + 4))).await;
    }
    assert_eq!(settled(&router, &recorder).await, numbered("n", 0..20));
}

pub(crate) async fn what_try_publish_took_stays_in_order(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let answers = taken(&router, "n", 50).await;
    let count = answers.len();
    drop(held);
    publish(&router, to("last")).await;
    for answer in answers {
        answer.await.expect("what was taken is accepted");
    }
    let mut names = numbered("n", 0..count);
    names.push("last".to_owned());
    assert_eq!(settled(&router, &recorder).await, names);
}

pub(crate) async fn positions_only_rise(router: Subject) {
    let recorder = started(&router).await;
    for n in 0..10 {
        publish(&router, to(&format!("n{n}"))).await;
        publish(&router, batch(["ada", "bob"])).await;
        take(&router, to(&format!("m{n}"))).await;
    }
    settled(&router, &recorder).await;
    assert_rising(&recorder);
}

#[track_caller]
fn assert_rising(recorder: &Recorder) {
    let routed = recorder.routed().into_iter();
    let positions: Vec<_> = routed
        .filter_map(|routed| routed.frame.position())
        .collect();
    let back = positions.windows(2).find(|pair| pair[0] >= pair[1]);
    assert!(back.is_none(), "positions were delivered as {back:?}");
}

pub(crate) async fn two_at_once_are_in_the_order_of_positions(router: Subject) {
    let recorder = started(&router).await;
    for _ in 0..4 {
        let (first, second) = tokio::join!(
            router.publish(batch(["a1", "a2"])),
            router.publish(batch(["b1", "b2"])),
        );
        first.and(second).expect("a started router accepts");
    }
    settled(&router, &recorder).await;
    assert_rising(&recorder);
}

pub(crate) async fn the_answers_positions_are_the_delivered_ones(router: Subject) {
    let recorder = started(&router).await;
    let mut answers = publish(&router, to("ada")).await;
    answers.extend(publish(&router, batch(["bob", "cy"])).await);
    answers.extend(take(&router, to("dee")).await);
    settled(&router, &recorder).await;
    let answered: Vec<Option<Position>> = answers.iter().map(|a| a.position).collect();
    let routed = recorder.routed().into_iter();
    let delivered: Vec<_> = routed.map(|routed| routed.frame.position()).collect();
    assert_eq!(answered, delivered);
}

pub(crate) async fn one_call_is_made_at_a_time(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let mut publishing = publishing(&router, batch(["a1", "a2"]));
    let beside = spawn_blocking(move || {
        drop(router.try_publish(batch(["b1", "b2"])));
        drop(poll(publishing.as_mut()));
    });
    // Both were tried, or one is inside too.
    let tried = || beside.is_finished() || recorder.has_overlapped();
    tried_or_blocked(tried).await;
    drop(held);
    drop(beside.await);
    assert!(!recorder.has_overlapped(), "two calls were made at once");
}

/// How many publish at once, and how much each.
const PUBLISHERS: usize = 4;
const EVENTS: usize = 90;

pub(crate) async fn many_at_once_are_in_one_order(router: Subject) {
    let recorder = started(&router).await;
    let start = Arc::new(Barrier::new(PUBLISHERS));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let (router, start, runtime) =
                (Arc::clone(&router), Arc::clone(&start), Handle::current());
            spawn_blocking(move || {
                start.wait();
                runtime.block_on(publish_many(&router, publisher))
            })
        })
        .collect();
    let mut answered = BTreeMap::new();
    for publisher in publishers {
        answered.extend(publisher.await.expect("publishing works beside others"));
    }
    settled(&router, &recorder).await;
    assert!(!recorder.has_overlapped(), "two calls were made at once");
    assert_rising(&recorder);
    let routed = recorder.routed();
    for publisher in 0..PUBLISHERS {
        let prefix = format!("p{publisher}n");
        let mut own = recorder.names();
        own.retain(|name| name.starts_with(&prefix));
        assert_eq!(own, numbered(&prefix, 0..EVENTS), "one publisher's own");
    }
    for (name, routed) in recorder.names().into_iter().zip(routed) {
        let answered = answered
            .get(&name)
            .map(|accepted: &Accepted| accepted.position);
        assert_eq!(answered, Some(routed.frame.position()), "of {name}");
    }
}

/// Publishes in every way there is; says what was answered for each.
async fn publish_many(router: &Subject, publisher: usize) -> Vec<(String, Accepted)> {
    let mut answered = Vec::new();
    for n in (0..EVENTS).step_by(5) {
        let names = numbered(&format!("p{publisher}n"), n..n + 5);
        let (alone, together) = names.split_at(2);
        let mut accepted = publish(router, to(&alone[0])).await;
        accepted.extend(match router.try_publish(to(&alone[1]).into()) {
            Ok(pending) => pending.await.expect("what was taken is accepted"),
            Err(RouteError::Busy) => publish(router, to(&alone[1])).await,
            Err(error) => panic!("try_publish answered {error:?}"),
        });
        accepted.extend(publish(router, batch(together)).await);
        answered.extend(names.into_iter().zip(accepted));
        yield_now().await;
    }
    answered
}
