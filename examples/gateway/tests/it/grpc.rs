//! How services push, and what they are told.

use gateway::proto::{
    BroadcastRequest, DisconnectRequest, PushToGroupRequest, PushToUsersRequest, StatsRequest,
};
use serde_json::{Value, json};
use sse_conformance::End;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{KEY, Server, note};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

/// The fields that are said to be wrong, by the message and by the details alike.
fn wrong_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("details");
    let fields = details.field_violations.into_iter();
    fields
        .map(|violation| {
            let said = format!("{}: {}", violation.field, violation.description);
            assert!(status.message().contains(&said), "{status:?}");
            violation.field
        })
        .collect()
}

#[tokio::test]
async fn events_reach_users_groups_and_everybody_and_are_counted() {
    let server = Server::start().await;
    let (mut ada, mut again) = (server.open("ada").await, server.open("ada").await);
    let mut bob = server.stream(&Server::token("bob", &["staff"], HOUR)).await;
    for stream in [&mut ada, &mut again, &mut bob] {
        stream.next_named("caught-up").await;
    }
    let mut service = server.service().await;
    let to_both = PushToUsersRequest {
        user_ids: ["ada", "nobody", "ada"].map(str::to_owned).to_vec(),
        event: "note".to_owned(),
        json_data: "{\n  \"n\": 1\n}".to_owned(),
        ..PushToUsersRequest::default()
    };
    let pushed = service.push_to_users(to_both).await.unwrap().into_inner();
    assert_eq!((pushed.matched, pushed.queued, pushed.closed), (2, 2, 0));
    assert!(!pushed.duplicate);
    let to_staff = PushToGroupRequest {
        group: "staff".to_owned(),
        event: "alert".to_owned(),
        json_data: "[2]".to_owned(),
        ..PushToGroupRequest::default()
    };
    let to_staff = service.push_to_group(to_staff).await.unwrap().into_inner();
    assert_eq!((to_staff.matched, to_staff.queued), (1, 1));
    let to_all = BroadcastRequest {
        event: "news".to_owned(),
        json_data: "null".to_owned(),
        ..BroadcastRequest::default()
    };
    let to_all = service.broadcast(to_all).await.unwrap().into_inner();
    assert_eq!((to_all.matched, to_all.queued), (3, 3));
    for stream in [&mut ada, &mut again] {
        let event = stream.next_event().await;
        assert_eq!((&*event.event, &*event.data), ("note", "{\n  \"n\": 1\n}"));
        assert_eq!(event.last_event_id, pushed.position);
    }
    assert_eq!(bob.next_event().await.event, "alert");
    for stream in [&mut ada, &mut again, &mut bob] {
        let event = stream.next_event().await;
        assert_eq!((&*event.event, &*event.data), ("news", "null"));
    }
    let stats = service.stats(StatsRequest {}).await.unwrap().into_inner();
    assert_eq!((stats.connections, stats.users, stats.groups), (3, 2, 1));
    let published = (
        stats.published_to_users,
        stats.published_to_groups,
        stats.broadcast,
    );
    assert_eq!(published, (1, 1, 1));
    assert_eq!(stats.heartbeats, 3);
}

#[tokio::test]
async fn nobody_pushes_without_the_key() {
    let server = Server::start().await;
    let wrong = format!("Bearer {}", KEY.replace('k', "K"));
    for authorization in [
        None,
        Some(""),
        Some("Bearer "),
        Some(KEY),
        Some(&*wrong),
        Some(&*format!("Bearer {KEY}x")),
        Some(&*format!("Basic {KEY}")),
    ] {
        let mut service = server.service_with(authorization).await;
        let calls = [
            service.push_to_users(note("ada", "1")).await.err(),
            service.stats(StatsRequest {}).await.err(),
            service.disconnect(DisconnectRequest::default()).await.err(),
        ];
        for status in calls {
            let code = status.map(|status| status.code());
            assert_eq!(code, Some(Code::Unauthenticated), "{authorization:?}");
        }
    }
    // A token is for streams, and the key is none.
    let token = Server::token("ada", &[], HOUR);
    let bearer = format!("Bearer {token}");
    let mut service = server.service_with(Some(&bearer)).await;
    assert!(service.stats(StatsRequest {}).await.is_err());
    assert_eq!(server.stream(KEY).await.status(), 401);
}

/// Users, event, data and key; and the fields that are wrong.
type Call<'a> = (&'a [&'a str], &'a str, &'a str, &'a str, &'a [&'a str]);

#[tokio::test]
async fn all_that_is_wrong_is_said_with_the_names_of_the_fields() {
    let server = Server::start().await;
    let mut service = server.service().await;
    let too_many = vec!["ada".to_owned(); 1_001];
    let long = "x".repeat(10_000);
    let cases: &[Call<'_>] = &[
        (&[], "", "", "", &["user_ids", "event", "json_data"]),
        (
            &["ada", "", "b\nb"],
            "note",
            "1",
            "",
            &["user_ids[1]", "user_ids[2]"],
        ),
        (&["ada"], "no\nte", "1", "", &["event"]),
        (&["ada"], "heartbeat", "{", "", &["event", "json_data"]),
        (&["ada"], "connection_id", "1", "", &["event"]),
        (&["ada"], "closed", "1", "", &["event"]),
        (&["ada"], "note", "{} {}", "", &["json_data"]),
        (&["ada"], "note", "NaN", "", &["json_data"]),
        (&["ada"], "note", "1", &long, &["idempotency_key"]),
    ];
    for (users, event, json, key, wrong) in cases {
        let request = PushToUsersRequest {
            user_ids: users.iter().map(|user| (*user).to_owned()).collect(),
            event: (*event).to_owned(),
            json_data: (*json).to_owned(),
            idempotency_key: (*key).to_owned(),
            important: true,
        };
        let status = service.push_to_users(request).await.unwrap_err();
        assert_eq!(wrong_fields(&status), *wrong, "{users:?} {event} {json}");
    }
    let crowd = PushToUsersRequest {
        user_ids: too_many.clone(),
        ..note("ada", "1")
    };
    let status = service.push_to_users(crowd).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["user_ids"]);
    let all_wrong = PushToUsersRequest {
        user_ids: vec![String::new(); 1_000],
        ..note("ada", "1")
    };
    let status = service.push_to_users(all_wrong).await.unwrap_err();
    assert_eq!(wrong_fields(&status).len(), 20);
    assert!(status.message().ends_with("; and 980 more"), "{status:?}");
    let nowhere = PushToGroupRequest {
        event: "note".to_owned(),
        json_data: "1".to_owned(),
        ..PushToGroupRequest::default()
    };
    let status = service.push_to_group(nowhere).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["group"]);
    let status = service
        .broadcast(BroadcastRequest::default())
        .await
        .unwrap_err();
    assert_eq!(wrong_fields(&status), ["event", "json_data"]);
    let odd = DisconnectRequest {
        user_ids: Vec::new(),
        reason: "x".repeat(201),
        for_seconds: u64::MAX,
    };
    let status = service.disconnect(odd).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["user_ids", "reason", "for_seconds"]);
    let large = note("ada", &format!("\"{}\"", "x".repeat(3_000_000)));
    let server = Server::with(&[("STREAMS__MAX_EVENT_BYTES", "100000")]).await;
    let status = server
        .service()
        .await
        .push_to_users(large)
        .await
        .unwrap_err();
    assert_eq!(wrong_fields(&status), ["json_data"]);
}

#[tokio::test]
async fn a_key_makes_it_once() {
    let server = Server::start().await;
    let mut ada = server.open("ada").await;
    ada.next_named("caught-up").await;
    let mut service = server.service().await;
    let request = PushToUsersRequest {
        idempotency_key: "order-17".to_owned(),
        important: true,
        ..note("ada", "1")
    };
    let first = service
        .push_to_users(request.clone())
        .await
        .unwrap()
        .into_inner();
    let second = service.push_to_users(request).await.unwrap().into_inner();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(first.position, second.position);
    assert_eq!((first.queued, second.queued), (1, 0));
    service.push_to_users(note("ada", "2")).await.unwrap();
    assert_eq!(ada.next_named("note").await.data, "1");
    assert_eq!(ada.next_named("note").await.data, "2");
    // One that isn't to be kept says nothing of one that is.
    let plain = PushToUsersRequest {
        idempotency_key: "order-18".to_owned(),
        ..note("ada", "3")
    };
    let kept = PushToUsersRequest {
        important: true,
        ..plain.clone()
    };
    service.push_to_users(plain).await.unwrap();
    assert!(
        !service
            .push_to_users(kept)
            .await
            .unwrap()
            .into_inner()
            .duplicate
    );
    // And kept once.
    let mut again = server.open("ada").await;
    for expected in ["1", "3"] {
        assert_eq!(again.next_named("note").await.data, expected);
    }
    assert_eq!(again.next_event().await.event, "caught-up");
}

#[tokio::test]
async fn users_are_thrown_out_for_a_while() {
    let server = Server::start().await;
    let mut service = server.service().await;
    let disconnect = |for_seconds, reason: &str| DisconnectRequest {
        user_ids: vec!["ada".to_owned()],
        reason: reason.to_owned(),
        for_seconds,
    };
    for (for_seconds, reason, told, status) in [
        (0, "", "disconnected", 200),
        (600, "fair use", "fair use", 204),
    ] {
        let (mut ada, mut bob) = (server.open("ada").await, server.open("bob").await);
        ada.next_named("caught-up").await;
        bob.next_named("caught-up").await;
        service
            .push_to_users(note("ada", "\"last\""))
            .await
            .unwrap();
        let ended = service.disconnect(disconnect(for_seconds, reason)).await;
        assert_eq!(ended.unwrap().into_inner().connections, 1);
        assert_eq!(ada.next_event().await.data, "\"last\"");
        let closed = ada.next_event().await;
        let data: Value = serde_json::from_str(&closed.data).unwrap();
        assert_eq!(
            (&*closed.event, data),
            ("closed", json!({ "reason": told }))
        );
        assert_eq!(ada.ended().await, End::Clean);
        assert_eq!(server.open("ada").await.status(), status);
        service.push_to_users(note("bob", "1")).await.unwrap();
        assert_eq!(bob.next_event().await.data, "1");
    }
}

#[tokio::test]
async fn nothing_is_taken_any_more_when_streams_begin_to_end() {
    let server = Server::with(&[("DRAIN", "3s")]).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.open("ada").await;
        stream.next_named("caught-up").await;
        streams.push(stream);
    }
    let mut service = server.service().await;
    let ending = tokio::spawn(server.end());
    let mut taken = 0;
    while let Ok(pushed) = service.push_to_users(note("ada", "1")).await {
        assert_eq!(pushed.into_inner().queued, 20, "nobody had gone");
        taken += 1;
    }
    let (_, said) = ending.await.unwrap();
    assert_eq!(said[1], "Streams read to their end: 20; cut off: 0");
    for mut stream in streams {
        for _ in 0..taken {
            stream.next_named("note").await;
        }
        stream.next_named("reconnect").await;
        assert_eq!(stream.ended().await, End::Clean);
    }
}
