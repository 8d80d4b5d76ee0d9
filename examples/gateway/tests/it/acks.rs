//! Important events come again until they are acknowledged: at least once, whatever happens.

use std::{collections::BTreeSet, time::Duration};

use gateway::proto::PushToUsersRequest;
use serde_json::{Value, json};
use sse_conformance::StreamClient;
use tonic::Code;

use crate::support::{Redis, Server, Service, note};

const HOUR: Duration = Duration::from_secs(3600);

/// Rather than for ever.
async fn soon<T>(fact: impl Future<Output = T>) -> T {
    let soon = tokio::time::timeout(Duration::from_secs(30), fact).await;
    soon.expect("it comes to be so")
}

fn important(user: &str, json: &str) -> PushToUsersRequest {
    PushToUsersRequest {
        important: true,
        ..note(user, json)
    }
}

async fn push(service: &mut Service, request: PushToUsersRequest) -> String {
    let pushed = service.push_to_users(request).await.unwrap();
    pushed.into_inner().position
}

/// The notes until a stream has caught up, and the id that its client has then.
async fn caught_up(stream: &mut StreamClient) -> (Vec<String>, String) {
    let mut notes = Vec::new();
    loop {
        let event = stream.next_event().await;
        match &*event.event {
            "note" => notes.push(event.data),
            "caught-up" => return (notes, event.last_event_id),
            _ => {}
        }
    }
}

async fn ack(server: &Server, user: &str, last: &str) -> Value {
    let token = Server::token(user, &[], HOUR);
    let body = json!({ "last_event_id": last });
    let response = server.ask("/ack", Some(&token), &body).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_with_each_stream() {
    let server = Server::start().await;
    let mut service = server.service().await;
    push(&mut service, important("ada", "1")).await;
    push(&mut service, note("ada", "2")).await;
    push(&mut service, important("bob", "3")).await;
    for _ in 0..3 {
        let (notes, last) = caught_up(&mut server.open("ada").await).await;
        assert_eq!(notes, ["1"]);
        // A client that comes back has it once more, and misses nothing else.
        let mut back = server.resume("ada", &last).await;
        assert_eq!(caught_up(&mut back).await.0, ["1"]);
    }
    let (_, last) = caught_up(&mut server.open("ada").await).await;
    let acknowledged = ack(&server, "ada", &last).await;
    assert_eq!(acknowledged, json!({ "acknowledged": 1, "left": 0 }));
    assert_eq!(caught_up(&mut server.open("ada").await).await.0, [""; 0]);
    assert_eq!(caught_up(&mut server.open("bob").await).await.0, ["3"]);
}

#[tokio::test]
async fn an_acknowledgement_is_of_what_came_up_to_that_id() {
    let server = Server::start().await;
    let mut service = server.service().await;
    let mut ada = server.open("ada").await;
    let (_, before) = caught_up(&mut ada).await;
    for number in 1..=3 {
        push(&mut service, important("ada", &number.to_string())).await;
    }
    ada.next_named("note").await;
    let second = ada.next_named("note").await;
    assert_eq!(second.data, "2");
    assert_eq!(ack(&server, "ada", &before).await["acknowledged"], 0);
    let acknowledged = ack(&server, "ada", &second.last_event_id).await;
    assert_eq!(acknowledged, json!({ "acknowledged": 2, "left": 1 }));
    assert_eq!(caught_up(&mut server.open("ada").await).await.0, ["3"]);
    // By an id of another gateway, or of none.
    for id in ["~0000000000000001.99", "~ffffffffffffffff.99"] {
        assert_eq!(ack(&server, "ada", id).await["acknowledged"], 0, "{id}");
    }
}

#[tokio::test]
async fn a_page_that_has_only_begun_acknowledges_nothing_that_it_was_not_given() {
    let server = Server::start().await;
    let mut service = server.service().await;
    push(&mut service, important("ada", "1")).await;
    push(&mut service, note("bob", "2")).await;
    let mut ada = server.open("ada").await;
    loop {
        let event = ada.next_event().await;
        if event.event == "note" {
            break;
        }
        assert_eq!(event.last_event_id, "", "{event:?}");
    }
}

#[tokio::test]
async fn in_redis_it_outlives_the_gateway() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let mut service = server.service().await;
    let mut ada = server.open("ada").await;
    caught_up(&mut ada).await;
    push(&mut service, important("ada", "1")).await;
    push(&mut service, important("ada", "2")).await;
    let old = ada.next_named("note").await.last_event_id;
    drop((ada, service));
    let (folder, _) = server.end().await;
    let server = Server::start_in(folder, &[("REDIS", &redis.url())]).await;
    // What it had before still counts, and no more.
    let acknowledged = ack(&server, "ada", &old).await;
    assert_eq!(acknowledged, json!({ "acknowledged": 1, "left": 1 }));
    let mut ada = server.resume("ada", &old).await;
    ada.next_named("gap").await;
    let (notes, last) = caught_up(&mut ada).await;
    assert_eq!(notes, ["2"]);
    push(&mut server.service().await, important("ada", "3")).await;
    assert_eq!(ada.next_named("note").await.data, "3");
    assert_eq!(
        ack(&server, "ada", &last).await,
        json!({ "acknowledged": 1, "left": 1 })
    );
    assert_eq!(caught_up(&mut server.open("ada").await).await.0, ["3"]);
}

#[tokio::test]
async fn no_more_is_kept_than_may_be_and_nothing_is_sent_then() {
    for redis in [None, Some(Redis::start().await)] {
        let most = ("IMPORTANT__MOST", "2");
        let server = match &redis {
            None => Server::with(&[most]).await,
            Some(redis) => Server::with_redis(&redis.url(), &[most]).await,
        };
        let mut service = server.service().await;
        let mut bob = server.open("bob").await;
        caught_up(&mut bob).await;
        push(&mut service, important("ada", "1")).await;
        push(&mut service, important("ada", "2")).await;
        let mut both = important("bob", "3");
        both.user_ids.push("ada".to_owned());
        let status = service.push_to_users(both).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().ends_with("for ada"), "{status:?}");
        push(&mut service, important("bob", "4")).await;
        assert_eq!(bob.next_named("note").await.data, "4");
        assert_eq!(caught_up(&mut server.open("bob").await).await.0, ["4"]);
        let (notes, last) = caught_up(&mut server.open("ada").await).await;
        assert_eq!(notes, ["1", "2"]);
        assert_eq!(ack(&server, "ada", &last).await["left"], 0);
        push(&mut service, important("ada", "5")).await;
    }
}

#[tokio::test]
async fn what_is_too_old_is_kept_no_more() {
    for redis in [None, Some(Redis::start().await)] {
        let age = ("IMPORTANT__AGE", "3s");
        let server = match &redis {
            None => Server::with(&[age]).await,
            Some(redis) => Server::with_redis(&redis.url(), &[age]).await,
        };
        push(&mut server.service().await, important("ada", "1")).await;
        assert_eq!(caught_up(&mut server.open("ada").await).await.0, ["1"]);
        let left = async || caught_up(&mut server.open("ada").await).await.0.len();
        soon(async { while left().await > 0 {} }).await;
    }
}

#[tokio::test]
async fn more_than_a_queue_holds_comes_whole() {
    let server = Server::with(&[("STREAMS__QUEUE_EVENTS", "5")]).await;
    let mut service = server.service().await;
    let all: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    for number in &all {
        push(&mut service, important("ada", number)).await;
    }
    let (notes, last) = caught_up(&mut server.open("ada").await).await;
    assert_eq!(notes, all);
    assert_eq!(ack(&server, "ada", &last).await["acknowledged"], 100);
}

#[tokio::test]
async fn what_is_too_old_makes_room() {
    for redis in [None, Some(Redis::start().await)] {
        let settings = [("IMPORTANT__AGE", "2s"), ("IMPORTANT__MOST", "1")];
        let server = match &redis {
            None => Server::with(&settings).await,
            Some(redis) => Server::with_redis(&redis.url(), &settings).await,
        };
        let mut service = server.service().await;
        push(&mut service, important("ada", "0")).await;
        let full = service.push_to_users(important("ada", "1")).await;
        assert_eq!(full.unwrap_err().code(), Code::ResourceExhausted);
        soon(async { while service.push_to_users(important("ada", "2")).await.is_err() {} }).await;
        assert_eq!(caught_up(&mut server.open("ada").await).await.0, ["2"]);
    }
}

#[tokio::test]
async fn a_gateway_that_another_has_taken_over_from_keeps_nothing_and_acknowledges_nothing() {
    let redis = Redis::start().await;
    let old = Server::with_redis(&redis.url(), &[]).await;
    let mut service = old.service().await;
    push(&mut service, important("ada", "1")).await;
    let (_, last) = caught_up(&mut old.open("ada").await).await;
    let new = Server::with_redis(&redis.url(), &[]).await;
    let refused = service.push_to_users(important("ada", "9")).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    push(&mut new.service().await, important("ada", "2")).await;
    let token = Server::token("ada", &[], HOUR);
    let body = json!({ "last_event_id": last });
    assert_eq!(old.ask("/ack", Some(&token), &body).await.status, 503);
    let mut ada = new.open("ada").await;
    let (notes, last) = caught_up(&mut ada).await;
    assert_eq!(notes, ["1", "2"]);
    assert_eq!(ack(&new, "ada", &last).await["acknowledged"], 2);
}

#[tokio::test]
async fn what_redis_did_too_late_is_withdrawn() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let mut connection = redis.connection().await;
    let mut pause = redis::cmd("CLIENT");
    let () = pause
        .arg("PAUSE")
        .arg(2_600)
        .query_async(&mut connection)
        .await
        .unwrap();
    let refused = server
        .service()
        .await
        .push_to_users(important("ada", "1"))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    soon(async {
        let mut info = redis::cmd("INFO");
        info.arg("commandstats");
        loop {
            let text: String = info.query_async(&mut connection).await.unwrap();
            if text.contains("cmdstat_hdel:") {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut kept = redis::cmd("HLEN");
    let kept: usize = kept
        .arg("gateway:mail:ada")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn what_cannot_be_sent_any_more_is_no_reason_to_have_no_stream() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let mut service = server.service().await;
    push(
        &mut service,
        important("ada", &format!("\"{}\"", "x".repeat(5_000))),
    )
    .await;
    push(&mut service, important("ada", "2")).await;
    let large = important("ada", &format!("\"{}\"", "x".repeat(70_000)));
    let refused = service.push_to_users(large).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut connection = redis.connection().await;
    let mut odd = redis::cmd("HSET");
    let odd = odd.arg("gateway:mail:ada").arg("odd").arg("odd");
    let _: usize = odd.query_async(&mut connection).await.unwrap();
    drop(service);
    let (folder, _) = server.end().await;
    let settings = [("REDIS", &*redis.url()), ("IMPORTANT__LARGEST", "1000")];
    let server = Server::start_in(folder, &settings).await;
    assert_eq!(caught_up(&mut server.open("ada").await).await.0, ["2"]);
}

/// What clients do that are cut at any time and acknowledge at any time what they have: nothing that was
/// accepted is lost, whatever they do.
#[tokio::test]
async fn at_least_once_however_clients_come_and_go() {
    const EVENTS: usize = 120;
    let redis = Redis::start().await;
    for (round, url) in [None, Some(redis.url())].into_iter().enumerate() {
        let server = match url {
            None => Server::start().await,
            Some(url) => Server::with_redis(&url, &[]).await,
        };
        let mut service = server.service().await;
        let publisher = tokio::spawn(async move {
            for number in 0..EVENTS {
                push(&mut service, important("ada", &number.to_string())).await;
            }
        });
        let mut dice = 0x9e37_79b9_u64 + round as u64;
        let mut roll = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (dice >> 33) % sides
        };
        // Two devices, each with what it has read and its last id.
        let mut devices = [const { (BTreeSet::new(), String::new()) }; 2];
        let read =
            |devices: &[(BTreeSet<usize>, String); 2]| devices[0].0.union(&devices[1].0).count();
        while read(&devices) < EVENTS {
            let device = usize::try_from(roll(2)).unwrap();
            let (numbers, last) = &mut devices[device];
            // Sometimes a tab of its own, with nothing.
            if roll(4) == 0 {
                last.clear();
            }
            let mut stream = server.resume("ada", last).await;
            // Who is cut each time before he has read what waits can't acknowledge any of it.
            let reads = if roll(3) == 0 { EVENTS } else { 12 };
            for _ in 0..roll(reads as u64) {
                let wait = Duration::from_millis(50);
                let Some(event) = stream.try_next(wait).await else {
                    break;
                };
                *last = event.last_event_id;
                if event.event == "note" {
                    numbers.insert(event.data.parse().unwrap());
                }
            }
            if !last.is_empty() && roll(3) > 0 {
                let last = last.clone();
                ack(&server, "ada", &last).await;
            }
        }
        publisher.await.unwrap();
    }
}
