//! Sending: whom an event reaches.

use crate::support::{Reader, group, open, poll, subscribe, text, unread};
use sse_core::{
    ClientId, Delivery, Event, EventError, Hub, PublishError, Published, Receipt, Target,
};

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

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

/// Ada twice, one of them an admin; Bob, an admin; Cleo.
async fn people(hub: &Hub) -> [Reader; 4] {
    [
        open(hub, "ada", &["admins", "all"]).await,
        open(hub, "ada", &["all"]).await,
        open(hub, "bob", &["admins", "all"]).await,
        open(hub, "cleo", &[]).await,
    ]
}

/// Who read exactly `x`; the others read nothing.
fn who_read(people: &mut [Reader]) -> Vec<usize> {
    let mut who = Vec::new();
    for (number, reader) in people.iter_mut().enumerate() {
        match reader.read().as_slice() {
            [] => {}
            [one] if one == "x" => who.push(number),
            other => panic!("{number} read {other:?}"),
        }
    }
    who
}

#[tokio::test]
async fn an_event_reaches_whom_it_is_for_and_nobody_else() {
    let hub = Hub::builder().without_history().build().unwrap();
    let mut people = people(&hub).await;
    let (ada, bob) = (people[0].handle.id(), people[2].handle.id());
    let mut check = async |receipt: Result<Receipt, PublishError>, who: &[usize]| {
        let receipt = receipt.unwrap();
        assert_eq!((receipt.position(), receipt.is_duplicate()), (None, false));
        assert_eq!(receipt.outcome().await, Ok(to(who.len() as u32)), "{who:?}");
        assert_eq!(who_read(&mut people), who);
    };

    check(hub.send_to("ada", text("x")).await, &[0, 1]).await;
    check(hub.send_to("nobody", text("x")).await, &[]).await;
    check(hub.send_to_in("ada", "admins", text("x")).await, &[0]).await;
    check(hub.send_to_in("cleo", "admins", text("x")).await, &[]).await;
    let twice = ["cleo", "ada", "cleo", "ada"];
    check(hub.send_to_each(twice, text("x")).await, &[0, 1, 3]).await;
    check(hub.send_to_each([""; 0], text("x")).await, &[]).await;
    check(hub.send_group("admins", text("x")).await, &[0, 2]).await;
    check(hub.send_group("nobody", text("x")).await, &[]).await;
    check(hub.broadcast(text("x")).await, &[0, 1, 2, 3]).await;

    for (target, who) in [
        (Target::connection(bob), &[2][..]),
        (Target::everybody().except_connection(ada), &[1, 2, 3]),
        (Target::everybody().except_client(client("ada")), &[2, 3]),
        (Target::group(group("admins")).except_connection(bob), &[0]),
        (
            Target::group(group("admins")).except_client(client("bob")),
            &[0],
        ),
        (Target::group(group("all")).within(group("admins")), &[0, 2]),
        (
            Target::everybody()
                .within(group("all"))
                .except_connection(ada),
            &[1, 2],
        ),
        (
            Target::clients([client("bob"), client("ada")]).within(group("admins")),
            &[0, 2],
        ),
        (Target::connection(bob).except_client(client("bob")), &[]),
        (
            Target::client(client("ada")).except_connection(bob),
            &[0, 1],
        ),
        (
            Target::everybody()
                .except_connection(ada)
                .except_client(client("bob")),
            &[0, 1, 3],
        ),
    ] {
        check(hub.publish(target, text("x")).await, who).await;
    }
    let published = Published {
        unicast: 10,
        group: 5,
        broadcast: 5,
    };
    assert_eq!(hub.info().published, published);
}

#[tokio::test]
async fn a_predicate_chooses_by_attributes() {
    #[derive(Clone, PartialEq)]
    struct Language(&'static str);

    let hub = Hub::builder().build().unwrap();
    let mut people = Vec::new();
    for language in ["da", "de", "da"] {
        let subscribe = subscribe("ada", &[]).attribute(Language(language));
        let mut reader = unread(&hub, subscribe).await;
        assert_eq!(reader.read(), ["connected"]);
        assert!(reader.handle.attributes().get() == Some(&Language(language)));
        people.push(reader);
    }
    people.push(open(&hub, "bob", &[]).await);
    let speaks = |language| {
        move |c: &sse_core::Connection| c.attributes().get() == Some(&Language(language))
    };
    for (language, who) in [("da", &[0, 2][..]), ("de", &[1]), ("fr", &[])] {
        let receipt = hub.send_where(speaks(language), text("x")).await.unwrap();
        assert_eq!(receipt.outcome().await, Ok(to(who.len() as u32)));
        assert_eq!(who_read(&mut people), who);
    }
    assert_eq!(hub.info().published.broadcast, 3);
}

#[tokio::test]
async fn a_join_and_a_leave_are_in_effect_when_they_return() {
    let hub = Hub::builder().build().unwrap();
    let mut people = people(&hub).await;
    let ids: Vec<_> = people.iter().map(|reader| reader.handle.id()).collect();
    let send = async || hub.send_group("late", text("x")).await.unwrap();

    assert!(hub.join(ids[3], "late").await.unwrap());
    assert!(!hub.join(ids[3], "late").await.unwrap(), "it was in it");
    send().await;
    assert_eq!(who_read(&mut people), [3]);
    assert_eq!(hub.join_client("ada", "late").await.unwrap(), 2);
    assert_eq!(hub.join_client("ada", "late").await.unwrap(), 0);
    assert_eq!(hub.join_client("nobody", "late").await.unwrap(), 0);
    let adas = Target::client(ClientId::new("ada").unwrap()).within(group("late"));
    assert!(hub.has_connections(&adas));
    assert_eq!(hub.leave_client("nobody", "late").await.unwrap(), 0);
    assert_eq!(hub.leave_client("ada", "late").await.unwrap(), 2);
    assert_eq!(hub.leave_client("ada", "late").await.unwrap(), 0);
    assert!(!hub.has_connections(&adas));
    assert_eq!(hub.join_client("ada", "late").await.unwrap(), 2);
    send().await;
    assert_eq!(who_read(&mut people), [0, 1, 3]);
    assert!(people[0].handle.leave("late").await.unwrap());
    assert!(!people[0].handle.leave("late").await.unwrap());
    assert!(hub.leave(ids[3], "late").await.unwrap());
    assert!(people[2].handle.join("late").await.unwrap());
    send().await;
    assert_eq!(who_read(&mut people), [1, 2]);
    assert_eq!(
        people[2].handle.groups(),
        ["admins", "all", "late"].map(group)
    );
    assert_eq!(people[0].handle.groups(), ["admins", "all"].map(group));
}

#[tokio::test]
async fn a_batch_is_consecutive_and_all_or_nothing() {
    let hub = Hub::builder().max_event_bytes(100).build().unwrap();
    let mut people = people(&hub).await;
    let ada = || Target::client(client("ada"));
    let bad = Event::text("x").event("a\nb");
    let large = Event::text("x".repeat(100));
    let batch = [
        (ada(), Event::text("1")),
        (ada(), bad),
        (ada(), Event::text("2")),
    ];
    let refused = hub.publish_many(batch).await.unwrap_err();
    assert!(
        matches!(refused, PublishError::Event(EventError::Name(_))),
        "{refused:?}"
    );
    let refused = hub
        .publish_many([(ada(), Event::text("1")), (ada(), large)])
        .await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, PublishError::TooLarge { len: 108, max: 100 }),
        "{refused:?}"
    );
    assert_eq!(people[0].read(), [""; 0]);
    assert_eq!(hub.info().published, Published::default());

    let batch = [
        (ada(), text("1")),
        (Target::everybody(), text("2")),
        (Target::client(client("bob")), text("3")),
        (ada(), text("4")),
    ];
    let receipts = hub.publish_many(batch).await.unwrap();
    let mut matched = Vec::new();
    for receipt in &receipts {
        matched.push(receipt.outcome().await.unwrap());
    }
    assert_eq!(matched, [to(2), to(4), to(1), to(2)]);
    assert_eq!(
        people
            .each_mut()
            .map(Reader::read)
            .map(|read| read.concat()),
        ["124", "124", "23", "2"]
    );
    let nothing = Vec::<(Target, Event)>::new();
    assert!(hub.publish_many(nothing).await.unwrap().is_empty());
}

#[test]
fn try_publish_works_outside_a_runtime() {
    let hub = Hub::builder().build().unwrap();
    let pending = hub.try_publish(Target::everybody(), text("x")).unwrap();
    let receipt = futures_util::FutureExt::now_or_never(pending)
        .unwrap()
        .unwrap();
    assert_eq!(
        futures_util::FutureExt::now_or_never(receipt.outcome()),
        Some(Ok(to(0)))
    );

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut reader = runtime.block_on(open(&hub, "ada", &[]));
    drop(hub.try_publish(Target::everybody(), text("1")).unwrap());
    let mut publish = Box::pin(hub.broadcast(text("2")));
    assert!(
        poll(publish.as_mut()).is_ready(),
        "nor does a free router need one"
    );
    assert_eq!(reader.read(), ["1", "2"]);
    assert!(
        hub.try_publish(Target::everybody(), Event::text("x").event(""))
            .is_err()
    );
}
