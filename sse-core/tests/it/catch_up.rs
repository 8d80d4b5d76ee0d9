//! While a client catches up: what its queue holds, what is sent meanwhile, and what goes wrong.

use std::time::Duration;

use crate::support::{
    Reader, eventually, parse,
    resuming::{Page, caught_up, gap, head, queue, returning, seen_on_return, short_history},
    settle, subscribe, text, unread,
};
use sse_core::{Event, Hub, HubBuilder, ManualClock, MemoryHistory, Overflow, Target};

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
    let mut reader = returning(&hub, "ada", &[], &id).await;
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
        for event in crate::support::soon(reader.next())
            .await
            .expect("it isn't cut")
        {
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
    let clock = ManualClock::new();
    let builder = Hub::builder().queue(queue(4)).clock(clock.clone());
    let hub = builder.build().unwrap();
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
            clock.advance(Duration::from_secs(2));
            let id = page.last.clone().unwrap();
            reader = returning(&hub, "ada", &[], &id).await;
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
    let clock = ManualClock::new();
    let builder = Hub::builder().queue(queue(1)).clock(clock.clone());
    let hub = builder.build().unwrap();
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
        clock.advance(Duration::from_secs(2));
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
    let mut reader = returning(&hub, "ada", &["g"], &id).await;
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
    let mut reader = returning(&hub, "ada", &[], &id).await;
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
    let reader = returning(&hub, "ada", &[], &id).await;
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

/// A client that is far behind, whose queue is full.
async fn far_behind(builder: HubBuilder) -> (Hub, Reader) {
    let hub = builder.queue(queue(2)).build().unwrap();
    let id = head(&hub).await;
    for number in 0..5 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let reader = returning(&hub, "ada", &[], &id).await;
    settle().await;
    (hub, reader)
}

#[tokio::test]
async fn of_a_conflation_key_the_newest_waits_for_the_catch_up() {
    let (_hub, mut reader) = far_behind(Hub::builder()).await;
    for number in 0..10 {
        let progress = Event::text(format!("own {number}")).conflation_key("job");
        let receipt = reader.handle.send(progress).await.unwrap();
        let outcome = receipt.outcome().await.unwrap();
        let replaced = u32::from(number > 0);
        assert_eq!((outcome.queued, outcome.replaced), (1, replaced));
    }
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    let own = page.seen.iter().filter(|seen| seen.starts_with("own"));
    assert_eq!(own.collect::<Vec<_>>(), ["own 9"]);
}

#[tokio::test]
async fn what_is_dropped_of_what_waits_for_the_catch_up_is_told_once_where_it_is_missing() {
    for (overflow, told) in [
        (Overflow::DropOldest, ["gap 8", "own 8", "own 9"]),
        (Overflow::DropNewest, ["own 0", "own 1", "gap 8"]),
    ] {
        let (hub, mut reader) = far_behind(Hub::builder().overflow(overflow)).await;
        let gaps = hub.info().gaps;
        for number in 0..10 {
            let own = text(format!("own {number}"));
            reader.handle.send(own).await.unwrap();
        }
        let mut page = Page::default();
        page.catch_up(&mut reader).await;
        let seen = page.seen.iter().filter_map(|seen| {
            let dropped = || gap(seen)["dropped"].as_u64().unwrap();
            let is_gap = seen.starts_with("gap");
            let told = is_gap.then(|| format!("gap {}", dropped()));
            told.or_else(|| seen.starts_with("own").then(|| seen.clone()))
        });
        assert_eq!(seen.collect::<Vec<_>>(), told);
        assert_eq!(hub.info().gaps - gaps, 1);
    }
}

#[tokio::test]
async fn except_this_connection_holds_in_its_own_catch_up() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let id = head(&hub).await;
    for _ in 0..5 {
        hub.broadcast(text("x")).await.unwrap();
    }
    let mut reader = returning(&hub, "ada", &[], &id).await;
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
    let mut reader = returning(&hub, "ada", &[], &id).await;
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
async fn what_is_not_kept_does_not_disturb_the_last_stretch() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let start = head(&hub).await;
    for _ in 0..10 {
        hub.broadcast(text("0")).await.unwrap();
    }
    // One that stalls: meanwhile what is delivered is held for whoever catches up.
    let stalled = returning(&hub, "bob", &[], &start).await;
    settle().await;
    hub.broadcast(text("1")).await.unwrap();
    for _ in 0..2 {
        hub.broadcast(Event::text("gone").transient())
            .await
            .unwrap();
    }
    let second = hub.broadcast(text("2")).await.unwrap().position().unwrap();
    hub.broadcast(text("3")).await.unwrap();
    let seen = seen_on_return(&hub, "ada", &[], &second.to_string()).await;
    assert_eq!(seen[1..], ["3", &caught_up(1, 0)]);
    let third = head(&hub).await;
    let seen = seen_on_return(&hub, "ada", &[], &third).await;
    assert_eq!(seen[1..], [caught_up(0, 0)]);
    drop(stalled);
}

#[tokio::test]
async fn what_is_for_the_connection_itself_keeps_its_order() {
    let hub = Hub::builder().queue(queue(2)).build().unwrap();
    let id = head(&hub).await;
    for number in 0..20 {
        hub.broadcast(text(number.to_string())).await.unwrap();
    }
    let mut reader = returning(&hub, "ada", &[], &id).await;
    settle().await;
    let mut page = Page::default();
    for number in 0..30 {
        // Room comes and goes in between.
        if number % 2 == 0 {
            page.take(reader.seen());
        }
        let own = text(format!("own {number}"));
        reader.handle.send(own).await.unwrap();
        if number % 3 == 0 {
            settle().await;
        }
    }
    page.catch_up(&mut reader).await;
    let own: Vec<_> = page
        .seen
        .iter()
        .filter(|seen| seen.starts_with("own"))
        .collect();
    let all: Vec<_> = (0..30).map(|number| format!("own {number}")).collect();
    assert_eq!(own, all.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_comes_before_the_gap_is_told_comes_after_it() {
    let hub = Hub::builder().build().unwrap();
    // The id has to be looked for, which the hub's task does.
    let mut reader = returning(&hub, "ada", &[], "order-17").await;
    let outcome = hub.send_to("ada", text("welcome")).await.unwrap();
    assert_eq!(outcome.outcome().await.unwrap().passed, 1);
    let mut page = Page::default();
    page.catch_up(&mut reader).await;
    let told = [r#"gap {"cause":"unknown"}"#, "welcome", &caught_up(1, 0)];
    assert_eq!(page.seen[1..], told);
}
