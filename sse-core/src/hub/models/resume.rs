//! Clients that come back while others publish, join, leave and go.

use std::{collections::HashSet, sync::Arc};

use shuttle::thread;

use super::{empties, group, hub, next, still, text};
use crate::{
    Event, EventBody, Hub, LastEventId, MemoryHistory, Position, Subscribe, Target,
    models::{check, spawn, until, wait},
};

fn head(hub: &Hub) -> Position {
    hub.shared.core.section.lock().head().unwrap()
}

/// Comes back, having seen what stands up to `position`.
fn come_back(hub: &Hub, client: &str, position: Position) -> crate::Subscription {
    let subscribe = Subscribe::client_id(client).unwrap();
    let subscribe = subscribe.last_event_id(LastEventId::Position(position));
    wait(hub.subscribe(subscribe)).unwrap()
}

/// Reads until it has caught up and has got this many events.
async fn read(mut body: EventBody, events: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let own = |all: &[String]| {
        let own = all
            .iter()
            .filter(|text| !text.starts_with("c") && !text.starts_with("gap"));
        own.count()
    };
    while own(&all) < events || !all.iter().any(|text| text == "caught-up") {
        let Some(mut more) = next(&mut body).await else {
            break;
        };
        all.append(&mut more);
    }
    all
}

fn publish(hub: &Hub, texts: &'static [&'static str]) -> thread::JoinHandle<()> {
    let hub = hub.clone();
    thread::spawn(move || {
        for own in texts {
            wait(hub.broadcast(text(own))).unwrap();
            let transient = Event::text("").transient();
            wait(hub.send_to("nobody", transient)).unwrap();
        }
    })
}

#[test]
fn a_client_that_comes_back_gets_all_each_once_and_in_one_order() {
    check(|| {
        let (hub, registry) = hub(still());
        wait(hub.broadcast(text("seen"))).unwrap();
        let position = head(&hub);
        let live = spawn(read(come_back(&hub, "ada", position).into_body(), 4));
        let publishers = [publish(&hub, &["a1", "a2"]), publish(&hub, &["b1", "b2"])];
        let back = spawn(read(come_back(&hub, "bob", position).into_body(), 4));
        for publisher in publishers {
            publisher.join().unwrap();
        }
        let (live, back) = (wait(live).unwrap(), wait(back).unwrap());
        for seen in [&live, &back] {
            assert_eq!(seen[0], "connected");
            let own: Vec<_> = seen[1..]
                .iter()
                .filter(|text| *text != "caught-up")
                .collect();
            let different: HashSet<_> = own.iter().collect();
            assert_eq!((own.len(), different.len()), (4, 4), "{seen:?}");
            for name in ["a", "b"] {
                let of_one: Vec<_> = own.iter().filter(|text| text.starts_with(name)).collect();
                assert!(of_one.is_sorted(), "{seen:?}");
            }
        }
        let order = |seen: &[String]| -> Vec<String> {
            seen.iter()
                .filter(|text| text.len() == 2)
                .cloned()
                .collect()
        };
        assert_eq!(order(&live), order(&back), "one order");
        until(|| hub.info().catching_up == 0);
        drop(hub);
        empties(&registry);
    });
}

#[test]
fn what_is_evicted_under_a_replay_is_told() {
    check(|| {
        let (hub, registry) = hub(still().history(MemoryHistory::last(1)));
        wait(hub.broadcast(text("seen"))).unwrap();
        let position = head(&hub);
        let publisher = publish(&hub, &["a1", "a2", "a3"]);
        let subscription = come_back(&hub, "bob", position);
        publisher.join().unwrap();
        wait(hub.broadcast(text("a4"))).unwrap();
        let mut body = subscription.into_body();
        let mut seen = Vec::new();
        while !seen.iter().any(|seen| seen == "a4") {
            seen.append(&mut wait(next(&mut body)).expect("it goes on"));
        }
        let mut due = 1;
        let mut gap = false;
        for text in &seen {
            if let Some(number) = text.strip_prefix('a') {
                let number: usize = number.parse().unwrap();
                assert!(number == due || gap && number > due, "{seen:?}");
                (due, gap) = (number + 1, false);
            }
            gap |= text.starts_with("gap");
        }
        drop((hub, body));
        empties(&registry);
    });
}

#[test]
fn whoever_goes_while_it_catches_up_leaves_nothing() {
    check(|| {
        let (hub, registry) = hub(still());
        let start = head(&hub);
        let publisher = publish(&hub, &["a1", "a2"]);
        let gone = come_back(&hub, "eve", start);
        let ended = come_back(&hub, "bob", start);
        let id = ended.id();
        let disconnect = thread::spawn({
            let hub = hub.clone();
            move || hub.disconnect(&Target::connection(id))
        });
        let change = thread::spawn({
            let handle = ended.handle();
            move || {
                let _ = wait(handle.join(group("g")));
                let _ = wait(handle.leave(group("g")));
            }
        });
        drop(gone);
        publisher.join().unwrap();
        assert_eq!(disconnect.join().unwrap(), 1);
        change.join().unwrap();
        let seen = wait(read(ended.into_body(), 2));
        let own = ["a1", "a2"];
        let of_it: Vec<_> = seen.iter().filter(|text| text.starts_with('a')).collect();
        assert!(own[..].starts_with(&of_it.iter().map(|text| text.as_str()).collect::<Vec<_>>()));
        empties(&registry);
        let core = Arc::clone(&hub.shared.core);
        assert_eq!(core.catch_ups.len(), 0);
        drop(hub);
    });
}
