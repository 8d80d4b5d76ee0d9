//! A client that comes back gets what it missed, or is told that it can't.

mod support;

use std::{num::NonZeroUsize, time::Duration};

use sse_core::{
    ClientId, Event, EventId, Hub, HubBuilder, LastEventId, Latest, ManualClock, MemoryHistory,
    Overflow, PublishError, QueueLimits, Target,
};
use support::{Reader, Seen, eventually, parse, pass, settle, subscribe, text, unread};

fn hub() -> Hub {
    Hub::builder().build().unwrap()
}

fn queue(events: usize) -> QueueLimits {
    QueueLimits {
        events: NonZeroUsize::new(events).unwrap(),
        ..QueueLimits::default()
    }
}

fn short_history(events: usize) -> HubBuilder {
    Hub::builder().history(MemoryHistory::last(events))
}

/// What a page sees, and what it would send as its last event id.
#[derive(Debug, Default)]
struct Page {
    seen: Vec<String>,
    last: Option<String>,
}

impl Page {
    fn take(&mut self, events: Vec<Seen>) {
        for event in events {
            self.last = event.id.clone().or(self.last.take());
            self.seen.push(event.to_string());
        }
    }

    /// Reads until it has caught up, or the stream has ended.
    async fn catch_up(&mut self, reader: &mut Reader) {
        let caught_up = |seen: &str| seen.starts_with("caught-up");
        while !self.seen.last().is_some_and(|seen| caught_up(seen)) {
            let Some(events) = support::soon(reader.next()).await else {
                return;
            };
            self.take(events);
        }
    }
}

fn last(id: &str) -> Option<LastEventId> {
    LastEventId::parse(id.as_bytes())
}

/// Comes back as `client`, having seen `id`; what it gets until it has caught up.
async fn resume(hub: &Hub, client: &str, groups: &[&str], id: &str) -> (Page, Reader) {
    let subscribe = subscribe(client, groups).last_event_id(last(id));
    let mut reader = unread(hub, subscribe).await;
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    (page, reader)
}

async fn seen_on_return(hub: &Hub, client: &str, groups: &[&str], id: &str) -> Vec<String> {
    resume(hub, client, groups, id).await.0.seen
}

/// The id of the last of what a fresh stream says: the delivered head.
async fn head(hub: &Hub) -> String {
    let mut reader = unread(hub, subscribe("nobody", &[])).await;
    reader.seen()[0].id.clone().expect("a position")
}

fn caught_up(replayed: u64, skipped: u64) -> String {
    format!(r#"caught-up {{"replayed":{replayed},"skipped":{skipped}}}"#)
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
    let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
    let mut reader = unread(&hub, subscribe).await;
    let mut events = Vec::new();
    while events.len() < 302 {
        events.extend(support::soon(reader.next()).await.unwrap());
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

fn gap(event: &str) -> serde_json::Value {
    serde_json::from_str(event.strip_prefix("gap ").expect("a gap")).unwrap()
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
        let subscribe = subscribe("ada", &[]).last_event_id(last(id));
        let mut reader = unread(&hub, subscribe).await;
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
async fn a_client_far_behind_needs_no_more_than_its_queue() {
    const EVENTS: u64 = 50_000;
    let history = MemoryHistory::last(100_000);
    let builder = Hub::builder().history(history).queue(queue(100));
    // The clock stands still: however long it takes, there is no heartbeat in between.
    let hub = builder.clock(ManualClock::new()).build().unwrap();
    let id = head(&hub).await;
    for number in 0..EVENTS {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
    let mut reader = unread(&hub, subscribe).await;
    let (mut next, mut skipped) = (0, 0);
    loop {
        let info = hub.info();
        assert!(info.queued <= 102, "{}", info.queued);
        if info.catching_up > 0 && next % 1_000 < 100 {
            hub.broadcast(Event::text("gone").transient())
                .await
                .unwrap();
            skipped += 1;
        }
        for event in support::soon(reader.next()).await.expect("it isn't cut") {
            match event.name.as_deref() {
                None => {
                    assert_eq!(event.data, next.to_string());
                    next += 1;
                }
                Some("connected") => {}
                Some(_) => {
                    assert_eq!(event.to_string(), caught_up(EVENTS, skipped));
                    assert_eq!(next, EVENTS);
                    assert!(skipped > 10);
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_by_the_cut_of_a_slow_reader() {
    let hub = Hub::builder().queue(queue(4)).build().unwrap();
    let mut reader = unread(&hub, subscribe("ada", &[])).await;
    let (mut page, mut cuts, mut sent) = (Page::default(), 0, 0);
    page.take(reader.seen());
    for round in 0..20 {
        for _ in 0..(round % 7) {
            hub.broadcast(text(sent.to_string())).await.unwrap();
            sent += 1;
        }
        page.take(reader.seen());
        if reader.ended {
            cuts += 1;
            let id = page.last.clone().unwrap();
            let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
            reader = unread(&hub, subscribe).await;
            let mut again = Page::default();
            again.catch_up(&mut reader).await;
            page.last = again.last;
            page.seen.extend(again.seen);
        }
    }
    let own = |seen: &&String| !seen.starts_with("c");
    let seen: Vec<_> = page.seen.iter().filter(own).cloned().collect();
    let all: Vec<_> = (0..sent).map(|number| number.to_string()).collect();
    assert_eq!(seen, all);
    assert!(cuts >= 3, "{cuts}");
    assert_eq!(hub.info().ended.overflow, cuts);
    assert_eq!(hub.info().cut_again, cuts - 1);
}

#[tokio::test]
async fn who_is_cut_again_and_again_is_told_to_come_back_later() {
    let hub = Hub::builder().queue(queue(1)).build().unwrap();
    let mut retries = Vec::new();
    for _ in 0..4 {
        let subscription = hub.subscribe(subscribe("ada", &[])).await.unwrap();
        let mut body = subscription.into_body();
        let first = futures_util::StreamExt::next(&mut body).await.unwrap();
        let first = String::from_utf8(first.unwrap().to_vec()).unwrap();
        let retry = first.lines().find_map(|line| line.strip_prefix("retry: "));
        retries.push(retry.map(|retry| retry.parse::<u64>().unwrap()));
        for _ in 0..2 {
            hub.broadcast(text("x")).await.unwrap();
        }
        assert!(parse(first.as_bytes()).len() == 1);
    }
    assert_eq!(retries[0], None);
    assert!(retries[1..].is_sorted_by(|a, b| a < b), "{retries:?}");
}

#[tokio::test]
async fn a_join_or_leave_counts_from_its_position() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let id = head(&hub).await;
    let say = async |name: &str, number: u32| {
        hub.send_group(name, text(format!("{name}{number}")))
            .await
            .unwrap();
    };
    for number in 0..10 {
        say("g", number).await;
        say("h", number).await;
    }
    let subscribe = subscribe("ada", &["g"]).last_event_id(last(&id));
    let mut reader = unread(&hub, subscribe).await;
    settle().await;
    assert!(reader.handle.join("h").await.unwrap());
    assert!(reader.handle.leave("g").await.unwrap());
    for number in 10..20 {
        say("g", number).await;
        say("h", number).await;
    }
    assert!(reader.handle.leave("h").await.unwrap());
    assert!(reader.handle.join("g").await.unwrap());
    for number in 20..30 {
        say("g", number).await;
        say("h", number).await;
    }
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    let named = |name: &str, numbers: std::ops::Range<u32>| -> Vec<String> {
        numbers.map(|number| format!("{name}{number}")).collect()
    };
    let mut all = named("g", 0..10);
    all.extend(named("h", 10..20));
    all.extend(named("g", 20..30));
    assert_eq!(page.seen[1..31], all);
    say("g", 30).await;
    say("h", 30).await;
    page.take(reader.seen());
    assert_eq!(page.seen[32..], ["g30"]);
}

#[tokio::test]
async fn what_is_for_the_connection_itself_is_queued_meanwhile() {
    let hub = Hub::builder().queue(queue(4)).build().unwrap();
    let id = head(&hub).await;
    for number in 0..20 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
    let mut reader = unread(&hub, subscribe).await;
    settle().await;
    for number in 0..4 {
        let sent = reader.handle.send(text(format!("own {number}"))).await;
        let outcome = sent.unwrap().outcome().await.unwrap();
        assert_eq!((outcome.matched, outcome.queued), (1, 1));
    }
    let outcome = hub.broadcast(text("20")).await.unwrap().outcome().await;
    assert_eq!((outcome.unwrap().matched, outcome.unwrap().passed), (1, 1));
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    let (own, all): (Vec<_>, Vec<_>) = page.seen[1..page.seen.len() - 1]
        .iter()
        .cloned()
        .partition(|seen| seen.starts_with("own"));
    assert_eq!(own, ["own 0", "own 1", "own 2", "own 3"]);
    assert_eq!(all, (0..=20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn more_for_the_connection_itself_than_its_queue_holds_cuts_it() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let id = head(&hub).await;
    for number in 0..20 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
    let reader = unread(&hub, subscribe).await;
    settle().await;
    for _ in 0..2 {
        let outcome = reader
            .handle
            .send(text("own"))
            .await
            .unwrap()
            .outcome()
            .await;
        assert_eq!(outcome.unwrap().queued, 1);
    }
    let outcome = reader
        .handle
        .send(text("own"))
        .await
        .unwrap()
        .outcome()
        .await;
    assert_eq!(outcome.unwrap().closed, 1);
    eventually(|| hub.info().connections == 0).await;
    assert_eq!(hub.info().catching_up, 0);
}

#[tokio::test]
async fn except_this_connection_holds_in_its_own_catch_up() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let id = head(&hub).await;
    for _ in 0..5 {
        hub.broadcast(text("x")).await.unwrap();
    }
    let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
    let mut reader = unread(&hub, subscribe).await;
    settle().await;
    let but_her = Target::everybody().except_connection(reader.handle.id());
    hub.publish(but_her, text("echo")).await.unwrap();
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    assert!(!page.seen.contains(&"echo".to_owned()));
    let again = seen_on_return(&hub, "ada", &[], &id).await;
    assert!(again.contains(&"echo".to_owned()), "not after a reconnect");
}

#[tokio::test]
async fn eviction_that_overtakes_a_replay_is_told_where_it_happens() {
    let builder = short_history(200).queue(queue(10));
    let hub = builder.build().unwrap();
    let id = head(&hub).await;
    for number in 0..200 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let subscribe = subscribe("ada", &[]).last_event_id(last(&id));
    let mut reader = unread(&hub, subscribe).await;
    settle().await;
    for number in 200..1_000 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    let at = page
        .seen
        .iter()
        .position(|seen| seen.starts_with("gap"))
        .unwrap();
    assert_eq!(gap(&page.seen[at])["cause"], "evicted");
    let numbers = |seen: &[String]| -> Vec<u32> {
        seen.iter().map(|number| number.parse().unwrap()).collect()
    };
    let (before, after) = (
        numbers(&page.seen[1..at]),
        numbers(&page.seen[at + 1..page.seen.len() - 1]),
    );
    assert_eq!(before, (0..before.len() as u32).collect::<Vec<_>>());
    assert_eq!(after, (800..1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_policy_that_drops_tells_of_it_and_goes_on() {
    let builder = Hub::builder()
        .queue(queue(2))
        .overflow(Overflow::DropOldest);
    let hub = builder.build().unwrap();
    let mut reader = unread(&hub, subscribe("ada", &[])).await;
    for number in 0..5 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let seen = reader.read();
    assert_eq!(gap(&seen[1])["cause"], "overflow");
    assert_eq!(seen[2..], ["3", "4"]);
    assert_eq!((hub.info().gaps, hub.info().dropped), (1, 3));
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
