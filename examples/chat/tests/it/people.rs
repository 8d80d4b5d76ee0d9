//! Who is there, and who comes and goes.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use sse_conformance::{End, StreamClient, request};
use tokio::{task::JoinSet, time::timeout};

use crate::{Person, QUIET, Server, chat, chats_until, data};

/// The next change of who is online.
async fn change(stream: &mut StreamClient) -> (String, String) {
    let change = data(&stream.next_named("system").await);
    assert!(change["time"].as_str().unwrap().ends_with('Z'), "{change}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&change["type"]), text(&change["nickname"]))
}

fn changed(what: &str, who: &str) -> (String, String) {
    (what.to_owned(), who.to_owned())
}

#[tokio::test]
async fn everybody_is_told_who_comes_and_goes() {
    let server = Server::start(&["--grace", "50ms"]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut adas, fresh) = ada.open().await;
    assert_eq!(fresh.nicknames, [""; 0], "who has joined isn't there yet");
    assert_eq!(change(&mut adas).await, changed("join", "ada"));
    let (bobs, fresh) = bob.open().await;
    assert_eq!(fresh.nicknames, ["ada"]);
    assert_eq!(change(&mut adas).await, changed("join", "bob"));
    // A second window is nothing new.
    let (mut second, fresh) = bob.open().await;
    assert_eq!(fresh.nicknames, ["ada", "bob"]);
    drop(bobs);
    ada.say("still?").await;
    assert_eq!(chat(&mut second).await["text"], "still?");
    let more = async |stream: &mut StreamClient| {
        let next = stream.try_next(QUIET).await;
        next.filter(|event| event.event == "system")
    };
    assert_eq!(chat(&mut adas).await["text"], "still?");
    assert_eq!(more(&mut adas).await, None);
    drop(second);
    assert_eq!(change(&mut adas).await, changed("leave", "bob"));
    let (_, fresh) = ada.open().await;
    assert_eq!(fresh.nicknames, ["ada"]);
}

#[tokio::test]
async fn who_is_back_in_time_wasnt_away() {
    let server = Server::start(&["--grace", "1m"]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut adas, _) = ada.open().await;
    change(&mut adas).await;
    for _ in 0..5 {
        // A reload.
        let (mut bobs, _) = bob.open().await;
        bob.say("here").await;
        chat(&mut bobs).await;
    }
    ada.say("end").await;
    let mut changes = Vec::new();
    loop {
        let event = adas.next_event().await;
        match &*event.event {
            "system" => changes.push(data(&event)["nickname"].clone()),
            "chat" if data(&event)["text"] == "end" => break,
            _ => {}
        }
    }
    assert_eq!(changes, ["bob"], "once");
}

#[tokio::test]
async fn who_leaves_is_gone_at_once_and_for_good() {
    let server = Server::start(&["--grace", "1m"]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut bobs, _) = bob.open().await;
    let (mut adas, _) = ada.open().await;
    assert_eq!(change(&mut bobs).await, changed("join", "bob"));
    assert_eq!(change(&mut bobs).await, changed("join", "ada"));
    let secret = bob.whisper("ada", "a secret").await;
    let last = adas.next_named("chat").await.last_event_id;
    bob.whisper("ada", "another").await;
    ada.leave().await;
    let closed = adas.next_named("closed").await;
    assert_eq!(data(&closed)["reason"], "left");
    assert_eq!(adas.ended().await, End::Clean);
    assert_eq!(change(&mut bobs).await, changed("leave", "ada"));
    assert_eq!(ada.stream(None).await.status(), 401);
    let nobody = json!({ "text": "x", "to": "ada" });
    assert_eq!(bob.post("/send", &nobody).await.status, 404);

    // Somebody else takes the name, and finds nothing of what waited; not by an old last event id either.
    let other = server.join("ADA").await;
    let (mut others, fresh) = other.open().await;
    assert_eq!(fresh.nicknames, ["bob"]);
    assert_eq!(fresh.ids(), [0; 0]);
    assert_eq!(change(&mut bobs).await, changed("join", "ADA"));
    let mut resumed = other.stream(Some(&last)).await;
    bob.whisper("ada", "hello").await;
    bob.say("end").await;
    for stream in [&mut others, &mut resumed] {
        let chats = chats_until(stream, "end").await;
        let texts: Vec<_> = chats.iter().map(|chat| &chat["text"]).collect();
        assert_eq!(texts, ["hello"]);
    }
    assert!(bob.history().await.contains(&secret), "his own side stays");
}

#[tokio::test]
async fn who_has_been_away_too_long_loses_his_name_to_whoever_asks() {
    let server = Server::start(&["--grace", "1ms", "--keep", "200ms"]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let join = async |nickname: &str| {
        let body = json!({ "nickname": nickname }).to_string();
        request(server.addr(), "POST", "/join", &[], body).await
    };
    let until_joined = async |nickname: &str| {
        let joined = async { while join(nickname).await.status != 200 {} };
        timeout(Duration::from_secs(10), joined)
            .await
            .expect("free")
    };
    server.join("never there").await;
    let (mut adas, _) = ada.open().await;
    let (bobs, _) = bob.open().await;
    assert_eq!(change(&mut adas).await, changed("join", "ada"));
    assert_eq!(change(&mut adas).await, changed("join", "bob"));
    ada.whisper("bob", "a secret").await;
    until_joined("Never there").await;
    assert_eq!(join("ada").await.status, 409, "she is there");
    assert_eq!(
        join("BOB").await.status,
        409,
        "he too, and longer than that"
    );

    drop(bobs);
    assert_eq!(change(&mut adas).await, changed("leave", "bob"));
    // Nobody asked for it.
    adas.try_next(QUIET).await;
    ada.whisper("bob", "still there?").await;
    let (bobs, _) = bob.open().await;
    assert_eq!(change(&mut adas).await, changed("join", "bob"));
    assert_eq!(join("BOB").await.status, 409, "he is back");
    drop(bobs);
    assert_eq!(change(&mut adas).await, changed("leave", "bob"));
    assert_eq!(join("BOB").await.status, 409, "not for long enough");
    until_joined("Bob").await;
    assert_eq!(bob.stream(None).await.status(), 401);
    assert!(adas.try_next(QUIET).await.is_none(), "he was gone already");
    let (_, fresh) = ada.open().await;
    assert_eq!(fresh.nicknames, ["ada"]);
}

/// Keeps a list by what a stream tells, until the end; who is on it then. Each change has to be one.
async fn watch(person: Person) -> BTreeSet<String> {
    let (mut stream, fresh) = person.open().await;
    let mut online: BTreeSet<_> = fresh.nicknames.into_iter().collect();
    loop {
        let event = stream.next_event().await;
        let told = data(&event);
        match &*event.event {
            "system" => {
                let nickname = told["nickname"].as_str().unwrap().to_owned();
                let is_new = match told["type"].as_str() {
                    Some("join") => online.insert(nickname),
                    Some("leave") => online.remove(&nickname),
                    other => panic!("{other:?}"),
                };
                assert!(is_new, "{told}");
            }
            "chat" => return online,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_list_and_its_changes_agree_whoever_moves_meanwhile() {
    let server = Server::start(&["--grace", "1ms"]).await;
    let mut movers = JoinSet::new();
    for n in 0..6 {
        let person = server.join(&format!("mover {n}")).await;
        movers.spawn(async move {
            for _ in 0..20 {
                person.open().await;
                // For longer than the grace, or not.
                let (mut stream, _) = person.open().await;
                stream.try_next(Duration::from_millis(2)).await;
            }
            person.leave().await;
        });
    }
    let (mut watchers, mut stay, mut last) = (JoinSet::new(), BTreeSet::new(), None);
    for n in 0..8 {
        let person = server.join(&format!("watcher {n}")).await;
        stay.insert(person.nickname.clone());
        last = Some(person.clone());
        person.open().await;
        watchers.spawn(watch(person));
    }
    movers.join_all().await;
    let last = last.expect("eight");
    let all_are_told_of = timeout(Duration::from_secs(10), async {
        while last.open().await.1.nicknames.len() != stay.len() {}
    });
    all_are_told_of.await.expect("those who stay");
    server.join("host").await.say("the end").await;
    let lists = watchers.join_all().await;
    assert_eq!(lists.len(), 8);
    for online in lists {
        assert_eq!(online, stay);
    }
}
