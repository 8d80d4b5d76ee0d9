//! What a receipt says of an event, and what is refused.

use std::{num::NonZeroUsize, time::Duration};

use crate::support::{open, text};
use sse_core::{
    Delivery, Event, Hub, ManualClock, NameError, OutcomeError, Overflow, PublishError, Published,
    QueueLimits, Receipt, Target,
};

const fn to(connections: u32) -> Delivery {
    Delivery {
        matched: connections,
        queued: connections,
        replaced: 0,
        dropped: 0,
        closed: 0,
        passed: 0,
        skipped: 0,
    }
}

#[tokio::test]
async fn a_receipt_counts_what_became_of_the_event() {
    let of = |matched, queued, replaced, dropped, closed| Delivery {
        matched,
        queued,
        replaced,
        dropped,
        closed,
        passed: 0,
        skipped: 0,
    };
    for (overflow, counts, survivors) in [
        (
            Overflow::DropOldest,
            of(1, 1, 0, 1, 0),
            vec!["gap {\"cause\":\"overflow\",\"dropped\":1}", "k2", "c"],
        ),
        (
            Overflow::DropNewest,
            of(1, 0, 0, 1, 0),
            vec!["b", "k2", "gap {\"cause\":\"overflow\",\"dropped\":1}"],
        ),
        (Overflow::Disconnect, of(1, 0, 0, 0, 1), vec![]),
    ] {
        let limits = QueueLimits {
            events: NonZeroUsize::new(2).unwrap(),
            ..QueueLimits::default()
        };
        let hub = Hub::builder()
            .queue(limits)
            .overflow(overflow)
            .build()
            .unwrap();
        let mut slow = open(&hub, "slow", &[]).await;
        let state = |data| Event::text(data).conflation_key("k").build().unwrap();
        for (event, counts) in [
            (state("k1"), to(1)),
            (text("b"), to(1)),
            (state("k2"), of(1, 1, 1, 0, 0)),
            (text("c"), counts),
        ] {
            let receipt = hub.send_to("slow", event).await.unwrap();
            assert_eq!(receipt.outcome().await, Ok(counts), "{overflow:?}");
            assert_eq!(receipt.outcome().await, Ok(counts), "asked again");
        }
        let info = hub.info();
        assert_eq!(
            (info.dropped, info.ended.overflow),
            (counts.dropped.into(), counts.closed.into())
        );
        assert_eq!(
            info.connections,
            1 - counts.closed as usize,
            "its slot is free at once"
        );
        assert_eq!(info.queued, survivors.len() as u64);
        assert_eq!(slow.read(), survivors);
        assert_eq!(slow.ended, counts.closed == 1);
        let after = hub
            .send_to("slow", text("d"))
            .await
            .unwrap()
            .outcome()
            .await;
        assert_eq!(after.unwrap().matched, 1 - counts.closed);
    }
}

#[tokio::test]
async fn an_idempotency_key_delivers_once_to_a_target_for_ten_minutes() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let mut ada = open(&hub, "ada", &["g"]).await;
    let event = |data: &str| Event::text(data).idempotency_key("k").build().unwrap();
    let send = async |data| {
        let receipt = hub.send_to("ada", event(data)).await.unwrap();
        (receipt.is_duplicate(), receipt.outcome().await.unwrap())
    };

    assert_eq!(send("1").await, (false, to(1)));
    assert_eq!(send("2").await, (true, to(0)));
    assert_eq!(ada.read(), ["1"]);
    assert!(
        !hub.send_group("g", event("3"))
            .await
            .unwrap()
            .is_duplicate(),
        "another target"
    );
    clock.advance(Duration::from_millis(599_999));
    assert_eq!(send("4").await, (true, to(0)));
    clock.advance(Duration::from_millis(1));
    assert_eq!(send("5").await, (false, to(1)));
    let batch = ["6", "7"].map(|data| (Target::everybody(), event(data)));
    let batch = hub.publish_many(batch).await.unwrap();
    assert_eq!(
        batch.iter().map(Receipt::is_duplicate).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(ada.read(), ["3", "5", "6"]);
    assert_eq!(
        hub.info().published,
        Published {
            unicast: 2,
            group: 1,
            broadcast: 1
        }
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_typed_error_without_a_trace() {
    let hub = Hub::builder().max_event_bytes(9).build().unwrap();
    let mut ada = open(&hub, "ada", &["g"]).await;
    let name = |error| match error {
        Err(PublishError::Name(error)) => error,
        other => panic!("{other:?}"),
    };
    let empty = |what| NameError::Empty { what };
    assert_eq!(name(hub.send_to("", text("x")).await), empty("client id"));
    assert_eq!(
        name(hub.send_to_in("ada", "", text("x")).await),
        empty("group name")
    );
    assert_eq!(
        name(hub.send_to_each(["ada", ""], text("x")).await),
        empty("client id")
    );
    assert_eq!(
        name(hub.send_group("", text("x")).await),
        empty("group name")
    );
    let long = "x".repeat(257);
    let error = NameError::TooLong {
        what: "client id",
        len: 257,
    };
    assert_eq!(name(hub.send_to(&long, text("x")).await), error);
    let error = hub.broadcast(text("xx")).await.unwrap_err();
    assert!(
        matches!(error, PublishError::TooLarge { len: 10, max: 9 }),
        "{error:?}"
    );
    assert!(ada.handle.join("a\n").await.is_err());
    assert!(hub.join_client("", "g").await.is_err());
    assert_eq!(ada.read(), [""; 0]);
    assert_eq!(hub.info().published, Published::default());
    hub.broadcast(text("x")).await.unwrap();
    assert_eq!(ada.read(), ["x"], "as large as is allowed");
}

#[tokio::test]
async fn an_outcome_is_forgotten_in_the_end() {
    let hub = Hub::builder().build().unwrap();
    let receipt = hub.broadcast(text("x")).await.unwrap();
    for _ in 0..1_000 {
        hub.broadcast(text("x")).await.unwrap();
    }
    assert_eq!(
        receipt.outcome().await,
        Ok(to(0)),
        "a thousand are no problem"
    );
    for _ in 0..9_000 {
        hub.broadcast(text("x")).await.unwrap();
    }
    assert_eq!(receipt.outcome().await, Err(OutcomeError::Forgotten));
}
