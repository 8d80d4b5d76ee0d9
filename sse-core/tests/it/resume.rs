//! A client that comes back gets what it missed, or is told that it can't.

use std::time::Duration;

use crate::support::{
    pass,
    resuming::{
        Page, caught_up, gap, head, last, resume, returning, seen_on_return, short_history,
    },
    settle, subscribe, text, unread,
};
use sse_core::{ClientId, Event, EventId, Hub, Latest, ManualClock, PublishError, Target};

fn hub() -> Hub {
    Hub::builder().build().unwrap()
}

#[tokio::test]
async fn a_client_gets_what_it_missed_each_once_and_in_order() {
    let hub = hub();
    let mut first = unread(&hub, subscribe("ada", &["g"])).await;
    hub.broadcast(text("seen")).await.unwrap();
    let seen = first.seen();
    let id = seen[1].id.clone().unwrap();
    drop(first);

    hub.broadcast(text("all")).await.unwrap();
    hub.send_to("ada", text("own")).await.unwrap();
    hub.send_to("bob", text("bob's")).await.unwrap();
    hub.send_to_each(["bob", "ada"], text("list"))
        .await
        .unwrap();
    hub.send_group("g", text("group")).await.unwrap();
    hub.send_group("h", text("other group")).await.unwrap();
    hub.send_to_in("ada", "g", text("own in g")).await.unwrap();
    hub.send_to_in("ada", "h", text("own in h")).await.unwrap();
    let ada = ClientId::new("ada").unwrap();
    let but_ada = Target::everybody().except_client(&ada);
    hub.publish(but_ada, text("but ada")).await.unwrap();
    hub.broadcast(Event::text("gone").transient())
        .await
        .unwrap();

    let (mut page, mut reader) = resume(&hub, "ada", &["g"], &id).await;
    let missed = ["connected", "all", "own", "list", "group", "own in g"];
    assert_eq!(page.seen[..6], missed);
    assert_eq!(page.seen[6], caught_up(5, 0));
    assert_eq!(page.last, Some(head(&hub).await));

    hub.broadcast(text("live")).await.unwrap();
    page.take(reader.seen());
    assert_eq!(page.seen[7..], ["live"]);
    let info = hub.info();
    assert_eq!((info.resumes, info.replayed, info.gaps), (1, 5, 0));
}

#[tokio::test]
async fn positions_rise_and_the_opening_event_of_a_resume_has_none() {
    let hub = hub();
    let id = head(&hub).await;
    for number in 0..300 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let mut reader = returning(&hub, "ada", &[], &id).await;
    let mut events = Vec::new();
    while events.len() < 302 {
        events.extend(crate::support::soon(reader.next()).await.unwrap());
    }
    assert_eq!(events[0].name.as_deref(), Some("connected"));
    assert_eq!(events[0].json()["resume"], "replaying");
    assert_eq!(events[0].id, None);
    let sequences: Vec<u64> = events[1..]
        .iter()
        .map(|event| {
            let id = event.id.as_deref().unwrap();
            id.split_once('.').unwrap().1.parse().unwrap()
        })
        .collect();
    assert_eq!(sequences[..300], (1..=300).collect::<Vec<_>>());
    assert_eq!(sequences[300], 300, "caught up at the head");
}

#[tokio::test]
async fn a_fresh_stream_carries_the_head_and_so_do_heartbeats() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    hub.broadcast(text("before")).await.unwrap();
    let mut reader = unread(&hub, subscribe("ada", &[])).await;
    let opening = &reader.seen()[0];
    assert_eq!(opening.json()["resume"], "fresh");
    assert_eq!(opening.id, Some(head(&hub).await));

    hub.send_to("bob", text("not hers")).await.unwrap();
    pass(&clock, Duration::from_secs(31)).await;
    let beat = reader.seen().pop().unwrap();
    assert_eq!(beat.name.as_deref(), Some("heartbeat"));
    assert_eq!(
        beat.id,
        Some(head(&hub).await),
        "what wasn't hers is behind her too"
    );
}

#[tokio::test]
async fn what_moves_no_position_puts_off_no_heartbeat() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let mut reader = unread(&hub, subscribe("ada", &[])).await;
    reader.seen();
    for _ in 0..31 {
        pass(&clock, Duration::from_secs(1)).await;
        hub.broadcast(Event::text("tick").transient())
            .await
            .unwrap();
        if reader.read().iter().any(|seen| seen == "heartbeat") {
            return;
        }
    }
    panic!("no heartbeat");
}

#[tokio::test]
async fn an_id_of_the_applications_own_is_found_again() {
    let hub = hub();
    hub.broadcast(Event::text("a").id("1")).await.unwrap();
    hub.broadcast(text("b")).await.unwrap();
    hub.send_to("ada", Event::text("c").id("1")).await.unwrap();
    hub.send_to("bob", Event::text("bob's").id("1"))
        .await
        .unwrap();
    hub.broadcast(text("d")).await.unwrap();
    let ada = seen_on_return(&hub, "ada", &[], "1").await;
    assert_eq!(ada[1..], ["d", &caught_up(1, 0)], "the newest that she saw");
    let cleo = seen_on_return(&hub, "cleo", &[], "1").await;
    assert_eq!(cleo[1..], ["b", "d", &caught_up(2, 0)]);
}

#[tokio::test]
async fn an_id_on_what_isnt_kept_is_an_error() {
    let hub = hub();
    let reader = unread(&hub, subscribe("ada", &[])).await;
    let with_id = || Event::text("x").id("7");
    let refused = |sent: Result<_, PublishError>| {
        assert!(matches!(sent, Err(PublishError::IdNotKept)));
    };
    refused(hub.broadcast(with_id().transient()).await.map(drop));
    refused(hub.send_where(|_| true, with_id()).await.map(drop));
    refused(reader.handle.send(with_id()).await.map(drop));
    assert_eq!(hub.info().published.broadcast, 0);
    let without = Hub::builder().without_history().build().unwrap();
    without.broadcast(with_id().transient()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_says_nothing_is_replayed_nothing_unless_it_is_asked_for() {
    let hub = hub();
    for number in 0..10 {
        hub.broadcast(text(format!("all {number}"))).await.unwrap();
        hub.send_to("bob", text("bob's")).await.unwrap();
    }
    let mut fresh = unread(&hub, subscribe("ada", &[])).await;
    settle().await;
    assert_eq!(fresh.read(), ["connected"]);

    let mut page = Page::default();
    let latest = subscribe("ada", &[]).latest(Latest::Events(3));
    let mut reader = unread(&hub, latest).await;
    page.catch_up(&mut reader).await;
    assert_eq!(
        page.seen[1..],
        ["all 7", "all 8", "all 9", &caught_up(3, 0)]
    );
    assert_eq!(hub.info().resumes, 0);

    let mut page = Page::default();
    let more = subscribe("ada", &[]).latest(Latest::Events(1_000));
    page.catch_up(&mut unread(&hub, more).await).await;
    assert_eq!(page.seen.len(), 12);
}

#[tokio::test]
async fn the_latest_since_a_time() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    for number in 0..5 {
        hub.broadcast(text(number.to_string())).await.unwrap();
        clock.advance(Duration::from_secs(10));
    }
    let since = sse_core::Clock::system_time(&clock) - Duration::from_secs(25);
    let wanted = subscribe("ada", &[]).latest(Latest::Since(since));
    let mut page = Page::default();
    page.catch_up(&mut unread(&hub, wanted).await).await;
    assert_eq!(page.seen[1..], ["3", "4", &caught_up(2, 0)]);
}

#[tokio::test]
async fn what_cannot_be_resumed_is_told() {
    let hub = short_history(3).build().unwrap();
    let start = head(&hub).await;
    let (epoch, _) = start.split_once('.').unwrap();
    for number in 0..10 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let kept = ["7", "8", "9"];

    let evicted = seen_on_return(&hub, "ada", &[], &start).await;
    assert_eq!(gap(&evicted[1])["cause"], "evicted");
    assert_eq!(gap(&evicted[1])["oldest"], format!("{epoch}.8"));
    assert_eq!(evicted[2..5], kept);
    assert_eq!(evicted[5], caught_up(3, 0));

    let other = "~00000000000000ff.3";
    let (page, _) = resume(&hub, "ada", &[], other).await;
    assert_eq!(gap(&page.seen[1])["cause"], "epoch");
    assert_eq!(page.seen[2..5], kept);

    for (id, cause) in [("order-17", "unknown"), ("~nonsense", "unknown")] {
        let (mut page, mut reader) = resume(&hub, "ada", &[], id).await;
        assert_eq!(gap(&page.seen[1])["cause"], cause);
        assert_eq!(page.seen[2], caught_up(0, 0));
        assert_eq!(page.last, Some(head(&hub).await));
        hub.send_to("ada", text(cause)).await.unwrap();
        page.take(reader.seen());
        assert_eq!(page.seen[3], cause, "live");
    }
    let ahead = seen_on_return(&hub, "ada", &[], &format!("{epoch}.1000")).await;
    assert_eq!(gap(&ahead[1])["cause"], "ahead");
    assert_eq!(ahead[2], caught_up(0, 0));
    assert_eq!(hub.info().gaps, 5);
}

#[tokio::test]
async fn the_opening_event_says_what_is_known_by_then() {
    let hub = hub();
    hub.broadcast(text("x")).await.unwrap();
    let newest = head(&hub).await;
    let cases = [
        (newest.as_str(), "replaying"),
        ("order-17", "replaying"),
        ("~nonsense", "gap"),
        ("~00000000000000ff.3", "gap"),
    ];
    for (id, resume) in cases {
        let mut reader = returning(&hub, "ada", &[], id).await;
        assert_eq!(reader.seen()[0].json()["resume"], resume, "{id}");
    }
}

#[tokio::test]
async fn without_a_history_whoever_comes_back_is_told_of_a_gap() {
    let hub = Hub::builder().without_history().build().unwrap();
    let subscribe = subscribe("ada", &[]).last_event_id(last("~00000000000000ff.3"));
    let mut reader = unread(&hub, subscribe).await;
    let seen = reader.seen();
    assert_eq!(seen[0].json()["resume"], "gap");
    assert_eq!(gap(&seen[1].to_string())["cause"], "unknown");
    assert_eq!(seen[2].to_string(), caught_up(0, 0));
    assert!(seen.iter().all(|event| event.id.is_none()));
    hub.broadcast(text("live")).await.unwrap();
    assert_eq!(reader.read(), ["live"]);
}

#[tokio::test]
async fn a_resume_replays_the_groups_that_the_new_request_names() {
    let hub = hub();
    let mut reader = unread(&hub, subscribe("ada", &["g"])).await;
    reader.handle.join("h").await.unwrap();
    let id = reader.seen()[0].id.clone().unwrap();
    drop(reader);
    hub.send_group("g", text("g")).await.unwrap();
    hub.send_group("h", text("h")).await.unwrap();
    let seen = seen_on_return(&hub, "ada", &["g"], &id).await;
    assert_eq!(seen[1..], ["g", &caught_up(1, 0)]);
    let seen = seen_on_return(&hub, "ada", &["h"], &id).await;
    assert_eq!(seen[1..], ["h", &caught_up(1, 0)]);
}

#[tokio::test]
async fn duplicates_have_the_first_ones_position_and_are_counted() {
    let hub = hub();
    let keyed = || Event::text("once").idempotency_key("k");
    let first = hub.broadcast(keyed()).await.unwrap();
    let again = hub.broadcast(keyed()).await.unwrap();
    assert!(first.position().is_some());
    assert_eq!(first.position(), again.position());
    assert!(again.is_duplicate());
    assert_eq!(hub.info().duplicates, 1);
    let bounds = hub.history().await.unwrap().unwrap();
    assert_eq!((bounds.events, Some(bounds.newest)), (1, first.position()));
}

#[tokio::test]
async fn all_that_is_kept_is_counted() {
    let hub = short_history(2).build().unwrap();
    let id = EventId::new("x").unwrap();
    for _ in 0..5 {
        hub.broadcast(Event::text("x").id(&id)).await.unwrap();
    }
    hub.send_where(|_| true, text("not kept")).await.unwrap();
    let bounds = hub.history().await.unwrap().unwrap();
    assert_eq!(bounds.events, 2);
    assert_eq!(bounds.newest.sequence(), 5);
    assert_eq!(bounds.floor.sequence(), 3);
    assert!(bounds.bytes > 0);
    let hub = Hub::builder().without_history().build().unwrap();
    assert_eq!(hub.history().await.unwrap(), None);
}
