//! Who gets what, and reads back what was said.

use serde_json::{Value, json};

use crate::{Fresh, QUIET, Server, chat, chats_until, data, id};

#[tokio::test]
async fn everybody_hears_what_is_said_to_all_and_two_what_is_private() {
    let server = Server::start(&[]).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let person = server.join(name).await;
        let (stream, fresh) = person.open().await;
        assert_eq!(fresh.ids(), [0; 0]);
        people.push((person, stream));
    }
    people[0].0.say("hello").await;
    people[0].0.whisper("bob", "psst").await;
    people[1].0.whisper("Ada", "what?").await;
    people[1].0.whisper("bob", "a note to myself").await;
    people[2].0.say("end").await;
    for (index, expected) in [
        (0, &["hello", "psst", "what?"][..]),
        (1, &["hello", "psst", "what?", "a note to myself"]),
        (2, &["hello"]),
    ] {
        let (person, stream) = &mut people[index];
        let chats = chats_until(stream, "end").await;
        let texts: Vec<_> = chats.iter().map(|chat| &chat["text"]).collect();
        assert_eq!(texts, expected, "{}", person.nickname);
        for chat in &chats {
            let is_private = chat["text"] != "hello";
            assert_eq!(chat.get("to").is_some(), is_private, "{chat}");
        }
        // And the same to who comes later.
        let mut ids: Vec<_> = chats.iter().map(id).collect();
        ids.push(5);
        assert_eq!(person.history().await, ids, "{}", person.nickname);
    }
}

#[tokio::test]
async fn any_text_is_read_back_as_it_was_sent() {
    let server = Server::start(&[]).await;
    let ada = server.join("ada").await;
    let (mut stream, _) = ada.open().await;
    let (long, wide) = ("\0".repeat(2_000), "🦀".repeat(2_000));
    let texts = [
        "<img src=x onerror=alert(1)>",
        "two\nlines\r\nand\rmore\n",
        "\n",
        " ",
        "data: x\n\nevent: y\nid: 7\n\n",
        "\0 \u{1b} \u{7f}",
        "\u{2028}\u{2029}\u{feff}\u{202e}",
        "🦀 größe שלום 👩‍👩‍👧‍👦",
        "\"\\/ null",
        &long,
        &wide,
    ];
    for text in texts {
        ada.say(text).await;
        assert_eq!(chat(&mut stream).await["text"], text);
    }
    let (_, fresh) = ada.open().await;
    let kept: Vec<_> = fresh.messages.iter().map(|kept| &kept["text"]).collect();
    assert_eq!(kept, texts);
}

#[tokio::test]
async fn private_messages_wait_until_they_are_read() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let first = ada.whisper("bob", "are you there?").await;
    let mut last = 0;
    for _ in 0..120 {
        last = ada.say("public").await;
    }
    let mut expected = vec![first];
    expected.extend(last - 49..=last);
    assert_eq!(bob.history().await, expected);
    // Shown isn't read.
    assert_eq!(bob.history().await, expected);
    assert_eq!(ada.history().await, expected, "he sent it");
    assert_eq!(bob.read(first).await, 0);
    for _ in 0..49 {
        bob.whisper("ada", "yes").await;
    }
    assert_eq!(bob.history().await[0], first, "one of his 50");
    bob.whisper("ada", "yes").await;
    assert!(!bob.history().await.contains(&first));
    assert_eq!(ada.history().await[0], first, "still of hers");
}

#[tokio::test]
async fn a_mailbox_has_room_for_500() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    // As large on the wire as can be.
    let text = "\0".repeat(2_000);
    for _ in 0..500 {
        ada.whisper("bob", &text).await;
    }
    let one_more = json!({ "text": "x", "to": "bob" });
    let refused = ada.post("/send", &one_more).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json::<Value>()["error"].is_string());
    for _ in 0..50 {
        bob.whisper("ada", &text).await;
        ada.say(&text).await;
    }
    let (mut bobs, fresh) = bob.open().await;
    assert_eq!(fresh.ids().len(), 600);
    assert!(fresh.messages.iter().all(|message| message["text"] == text));
    assert_eq!(bob.read(1).await, 499);
    ada.whisper("bob", "now").await;
    assert_eq!(chat(&mut bobs).await["text"], "now");
    assert_eq!(ada.post("/send", &one_more).await.status, 409);
}

#[tokio::test]
async fn who_sends_while_his_stream_is_down_hears_himself_once() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut adas, _) = ada.open().await;
    bob.say("one").await;
    let last = adas.next_named("chat").await.last_event_id;
    drop(adas);
    ada.say("two").await;
    bob.say("three").await;
    ada.whisper("bob", "four").await;
    let mut again = ada.stream(Some(&last)).await;
    assert_eq!(data(&again.next_event().await)["resume"], "replaying");
    ada.say("end").await;
    let chats = chats_until(&mut again, "end").await;
    let texts: Vec<_> = chats.iter().map(|chat| &chat["text"]).collect();
    assert_eq!(texts, ["two", "three", "four"]);
    let more = again.try_next(QUIET).await;
    assert!(more.is_none_or(|event| event.event == "caught-up"));
}

#[tokio::test]
async fn a_stream_that_resumes_is_told_no_state() {
    let server = Server::start(&[]).await;
    let ada = server.join("ada").await;
    let (mut stream, _) = ada.open().await;
    let joined = stream.next_named("system").await;
    assert_eq!(data(&joined)["nickname"], "ada");
    ada.say("missed").await;
    let id = &joined.last_event_id;
    let by_query = format!("&lastEventId={id}");
    let path = format!("/events?token={}{by_query}", ada.token);
    for call in [
        ada.stream(Some(id)),
        sse_conformance::StreamClient::open(server.addr(), &path),
    ] {
        let mut again = call.await;
        let mut names = Vec::new();
        while names.last().is_none_or(|name| name != "caught-up") {
            names.push(again.next_event().await.event);
        }
        assert_eq!(names, ["connected", "chat", "caught-up"]);
    }
    // The header wins, and an empty one means none.
    let call = sse_conformance::StreamClient::open(server.addr(), &path);
    let mut fresh = call.header("last-event-id", "").await;
    assert_eq!(data(&fresh.next_event().await)["resume"], "fresh");
    assert_eq!(Fresh::read(&mut fresh).await.ids().len(), 1);
}
