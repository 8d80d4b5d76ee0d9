//! Cases of what is delivered.

use std::time::Duration;

use sse_core::{Batch, ClientId, ConnectionId, Event, Frame, Predicate, Publication, Target};

use super::support::{
    Subject, batch, built, client, group, publication, publish, settled, started, take, to,
};

pub(crate) async fn each_is_delivered_once(router: Subject) {
    let recorder = started(&router).await;
    let mut names = Vec::new();
    for n in 0..100 {
        let name = format!("n{n}");
        if n % 2 == 0 {
            publish(&router, to(&name)).await;
        } else {
            take(&router, to(&name)).await;
        }
        names.push(name);
    }
    let mut delivered = settled(&router, &recorder).await;
    // In which order is another case.
    delivered.sort_unstable();
    names.sort_unstable();
    assert_eq!(delivered, names);
}

pub(crate) async fn a_batch_is_delivered_in_one_call(router: Subject) {
    let recorder = started(&router).await;
    let names = ["ada", "bob", "cy", "dee"];
    publish(&router, batch(names)).await;
    take(&router, batch(names)).await;
    settled(&router, &recorder).await;
    let calls = recorder.calls();
    let broken = calls.iter().find(|call| call.len() % names.len() != 0);
    assert!(
        broken.is_none() && !calls.is_empty(),
        "batches of {names:?} came in these calls: {calls:?}"
    );
}

pub(crate) async fn a_batch_is_delivered_in_its_order(router: Subject) {
    let recorder = started(&router).await;
    let names = ["1", "2", "3", "4", "5"];
    publish(&router, batch(names)).await;
    take(&router, batch(names)).await;
    assert_eq!(settled(&router, &recorder).await, names.repeat(2));
}

/// Events in which everything occurs that an event can have.
fn events(key: &str) -> Vec<Event> {
    let events = [
        Event::text("plain"),
        Event::text("two\nlines\r\nand a third\r"),
        Event::text(""),
        Event::text("named").event("notification"),
        Event::text("of an id of its own").id("mine"),
        Event::text("with a retry").retry(Duration::from_secs(7)),
        Event::text("with a comment").comment("said by the way"),
        Event::text("conflated").conflation_key("c"),
        Event::text("keyed").idempotency_key(key),
        Event::text("transient").transient(),
        Event::text("of all")
            .event("e")
            .id("i")
            .comment("c")
            .conflation_key("k"),
        Event::json(&["json", "ünïcode"]),
    ];
    events.map(built).into()
}

pub(crate) async fn frames_are_the_events_that_were_published(router: Subject) {
    let recorder = started(&router).await;
    for event in events("k") {
        publish(&router, publication(client("alone"), event)).await;
    }
    let together = events("j").into_iter();
    let together: Batch = together
        .map(|e| publication(client("together"), e))
        .collect();
    publish(&router, together).await;
    settled(&router, &recorder).await;
    let routed = recorder.routed();
    assert_eq!(
        routed.len(),
        2 * events("k").len(),
        "how many were delivered"
    );
    for (routed, event) in routed.iter().zip(events("k").iter().cycle()) {
        let expected = Frame::new(event, routed.frame.position());
        assert_eq!(
            routed.frame.bytes(),
            expected.bytes(),
            "the bytes of {event:?}"
        );
        assert_eq!(
            routed.frame.conflation_key(),
            event.conflation_key(),
            "the conflation key of {event:?}"
        );
    }
}

pub(crate) async fn targets_are_those_that_were_published(router: Subject) {
    let recorder = started(&router).await;
    let (red, ada) = (
        group("red"),
        ClientId::new("ada").expect("a valid client id"),
    );
    let connection = ConnectionId::random().expect("random numbers");
    let targets = [
        client("ada"),
        client("ada").within(&red),
        Target::clients([&ada, &ClientId::new("bob").expect("a valid client id")]),
        Target::connection(connection),
        Target::group(&red),
        Target::group(&red).except_client(&ada),
        Target::everybody(),
        Target::everybody().except_connection(connection),
        Target::matching(Predicate::new(|_| true)),
    ];
    let publications = || {
        targets
            .clone()
            .map(|t| publication(t, built(Event::text("x"))))
    };
    for publication in publications() {
        publish(&router, publication).await;
    }
    publish(&router, publications().into_iter().collect::<Batch>()).await;
    settled(&router, &recorder).await;
    let delivered: Vec<_> = recorder.routed().into_iter().map(|r| r.target).collect();
    assert_eq!(delivered, [targets.clone(), targets].concat());
}

pub(crate) async fn tickets_come_along(router: Subject) {
    let recorder = started(&router).await;
    let mut tickets = Vec::new();
    for batch in [batch(["ada"]), batch(["bob", "cy", "bob"])] {
        tickets.extend(batch.iter().map(Publication::ticket));
        publish(&router, batch).await;
    }
    let last = to("last");
    tickets.push(last.ticket());
    take(&router, last).await;
    settled(&router, &recorder).await;
    let delivered = recorder.routed().into_iter().map(|routed| routed.ticket);
    let tickets = tickets.into_iter().map(Some);
    assert_eq!(delivered.collect::<Vec<_>>(), tickets.collect::<Vec<_>>());
}
