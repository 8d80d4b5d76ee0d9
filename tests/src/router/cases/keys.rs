//! Cases of idempotency keys.

use std::sync::Arc;

use sse_core::{Batch, Event, Publication, Target};
use tokio::sync::Barrier;

use super::{
    recorder::MARKER,
    support::{
        Subject, all_accepted, built, client, group, held_up, keyed, publication, publish, settled,
        started, take, taken, to,
    },
};

pub(crate) async fn a_repeated_key_is_not_delivered(router: Subject) {
    let recorder = started(&router).await;
    let first = publish(&router, keyed("ada", "k")).await;
    let second = publish(&router, keyed("ada", "k")).await;
    let other_words = Event::text("in other words").idempotency_key("k");
    let third = take(&router, publication(client("ada"), built(other_words))).await;
    let duplicates = [first, second, third].map(|answers| answers[0].duplicate);
    assert_eq!(
        duplicates,
        [false, true, true],
        "what is called a duplicate"
    );
    assert_eq!(settled(&router, &recorder).await, ["ada"]);
}

pub(crate) async fn a_duplicate_has_the_firsts_position(router: Subject) {
    let _recorder = started(&router).await;
    let first = publish(&router, keyed("ada", "k")).await;
    publish(&router, to("bob")).await;
    let second = publish(&router, keyed("ada", "k")).await;
    assert_eq!(second[0].position, first[0].position);
}

pub(crate) async fn a_key_counts_in_its_own_batch(router: Subject) {
    let recorder = started(&router).await;
    let batch = [keyed("ada", "k"), to("bob"), keyed("ada", "k")];
    let answers = publish(&router, batch.into_iter().collect::<Batch>()).await;
    let duplicates: Vec<_> = answers.iter().map(|answer| answer.duplicate).collect();
    assert_eq!(duplicates, [false, false, true]);
    let names = settled(&router, &recorder).await;
    assert_eq!(names, ["ada", "bob"]);
}

pub(crate) async fn a_key_is_one_for_its_target_only(router: Subject) {
    let recorder = started(&router).await;
    let targets = [
        client("ada"),
        client("bob"),
        client("ada").within(group("red")),
        client("ada").within(group("blue")),
        Target::group(group("ada")),
        Target::everybody(),
    ];
    for target in &targets {
        let event = built(Event::text("x").idempotency_key("k"));
        let answers = publish(&router, publication(target.clone(), event)).await;
        assert!(!answers[0].duplicate, "a duplicate for {target:?}");
    }
    settled(&router, &recorder).await;
    let delivered: Vec<_> = recorder.routed().into_iter().map(|r| r.target).collect();
    assert_eq!(delivered, targets);
}

pub(crate) async fn without_the_same_key_nothing_is_a_duplicate(router: Subject) {
    let recorder = started(&router).await;
    let same = |key: Option<&str>| {
        let event = Event::text("the same");
        let event = match key {
            Some(key) => event.idempotency_key(key),
            None => event,
        };
        publication(client("ada"), built(event))
    };
    let batch: Vec<Publication> = [None, None, Some("k"), Some("j"), None, Some("K")]
        .map(same)
        .into();
    let count = batch.len();
    for publication in batch {
        let answers = publish(&router, publication).await;
        assert!(!answers[0].duplicate, "a duplicate without the same key");
    }
    assert_eq!(settled(&router, &recorder).await, vec!["ada"; count]);
}

pub(crate) async fn a_refused_publication_uses_no_key_up(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let full = taken(&router, MARKER, 100_000).await;
    let refused = router.try_publish(keyed("ada", "k").into()).is_err();
    drop(held);
    all_accepted(full).await;
    let answers = publish(&router, keyed("ada", "k")).await;
    // That it is never busy is another case.
    assert_eq!(answers[0].duplicate, !refused, "after it was refused");
    assert_eq!(settled(&router, &recorder).await, ["ada"]);
}

pub(crate) async fn of_two_at_once_one_is_a_duplicate(router: Subject) {
    let recorder = started(&router).await;
    let (first, second) = tokio::join!(
        publish(&router, keyed("ada", "k")),
        publish(&router, keyed("ada", "k")),
    );
    assert_ne!(first[0].duplicate, second[0].duplicate, "polled in turn");
    for round in 0..50 {
        let start = Arc::new(Barrier::new(2));
        let both = [(), ()].map(|()| {
            let (router, start) = (Arc::clone(&router), Arc::clone(&start));
            tokio::spawn(async move {
                let publication = keyed("bob", &format!("k{round}"));
                start.wait().await;
                publish(&router, publication).await[0].duplicate
            })
        });
        let mut duplicates = 0;
        for publishing in both {
            let duplicate = publishing.await.expect("a started router accepts");
            duplicates += usize::from(duplicate);
        }
        assert_eq!(duplicates, 1, "duplicates of two");
    }
    assert_eq!(settled(&router, &recorder).await.len(), 51, "deliveries");
}
