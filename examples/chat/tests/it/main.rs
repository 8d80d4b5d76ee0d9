//! The room as a user starts it.

mod api;
mod delivery;
mod ends;
mod page;
mod people;
mod seam;
mod storm;

use std::{net::SocketAddr, time::Duration};

use example_support::test::Program;
use serde_json::{Value, json};
use sse_conformance::{Call, Dispatched, Response, StreamClient, request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat");

/// Long after anything that was going to come has.
const QUIET: Duration = Duration::from_millis(300);

/// A running room; it ends with the test.
struct Server(Program);

impl Server {
    async fn start(args: &[&str]) -> Self {
        Self(Program::start(PROGRAM, args).await)
    }

    const fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    async fn join(&self, nickname: &str) -> Person {
        Person::join(self.addr(), nickname).await
    }
}

/// Somebody who has joined.
#[derive(Debug, Clone)]
struct Person {
    addr: SocketAddr,
    nickname: String,
    token: String,
}

impl Person {
    async fn join(addr: SocketAddr, nickname: &str) -> Self {
        let body = json!({ "nickname": nickname }).to_string();
        let joined = request(addr, "POST", "/join", &[], body).await;
        assert_eq!(joined.status, 200, "{nickname}: {}", joined.text());
        let joined = joined.json::<Value>();
        assert_eq!(joined["nickname"], nickname);
        let token = joined["token"].as_str().unwrap().to_owned();
        assert_eq!(token.len(), 32);
        Self {
            addr,
            nickname: nickname.to_owned(),
            token,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        let token = format!("Bearer {}", self.token);
        let headers = [("authorization", &*token)];
        request(self.addr, "POST", path, &headers, body.to_string()).await
    }

    /// Says it; the id of the message.
    async fn say(&self, text: &str) -> u64 {
        self.said(&json!({ "text": text })).await
    }

    async fn whisper(&self, to: &str, text: &str) -> u64 {
        self.said(&json!({ "text": text, "to": to })).await
    }

    async fn said(&self, body: &Value) -> u64 {
        let sent = self.post("/send", body).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        sent.json::<Value>()["id"].as_u64().unwrap()
    }

    /// Says that he has read so far; how many he hasn't.
    async fn read(&self, id: u64) -> u64 {
        let read = self.post("/read", &json!({ "id": id })).await;
        assert_eq!(read.status, 200, "{}", read.text());
        read.json::<Value>()["unread"].as_u64().unwrap()
    }

    async fn leave(&self) {
        let left = self.post("/leave", &Value::Null).await;
        assert_eq!(left.status, 200, "{}", left.text());
    }

    /// A stream that begins, or goes on after an id.
    fn stream(&self, last_event_id: Option<&str>) -> Call {
        let call = StreamClient::open(self.addr, &format!("/events?token={}", self.token));
        match last_event_id {
            Some(id) => call.header("last-event-id", id),
            None => call,
        }
    }

    /// A fresh stream, and what it is told at its start.
    async fn open(&self) -> (StreamClient, Fresh) {
        let mut stream = self.stream(None).await;
        let connected = stream.next_event().await;
        assert_eq!(connected.event, "connected");
        assert_eq!(data(&connected)["resume"], "fresh");
        let fresh = Fresh::read(&mut stream).await;
        (stream, fresh)
    }

    /// What he is told of at the start of a fresh stream.
    async fn history(&self) -> Vec<u64> {
        self.open().await.1.ids()
    }
}

/// How things stand at the start of a stream.
#[derive(Debug)]
struct Fresh {
    nicknames: Vec<String>,
    /// Their numbers, in the same order.
    members: Vec<u64>,
    messages: Vec<Value>,
}

impl Fresh {
    async fn read(stream: &mut StreamClient) -> Self {
        let online = stream.next_event().await;
        assert_eq!(online.event, "online_list");
        let history = stream.next_event().await;
        assert_eq!(history.event, "history");
        let people = data(&online)["people"].take();
        let people = people.as_array().expect("a list");
        let nickname = |who: &Value| who["nickname"].as_str().unwrap().to_owned();
        let messages = data(&history)["messages"].take();
        Self {
            nicknames: people.iter().map(nickname).collect(),
            members: people.iter().map(member).collect(),
            messages: serde_json::from_value(messages).unwrap(),
        }
    }

    fn ids(&self) -> Vec<u64> {
        let ids = self.messages.iter().map(id).collect();
        assert_increasing(&ids);
        ids
    }
}

fn data(event: &Dispatched) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

fn id(message: &Value) -> u64 {
    message["id"].as_u64().unwrap()
}

/// The number of somebody who is told of.
fn member(who: &Value) -> u64 {
    who["member"].as_u64().unwrap()
}

/// The next message on a stream.
async fn chat(stream: &mut StreamClient) -> Value {
    data(&stream.next_named("chat").await)
}

/// The messages that come until one has this text.
async fn chats_until(stream: &mut StreamClient, text: &str) -> Vec<Value> {
    let mut chats = Vec::new();
    loop {
        let next = chat(stream).await;
        if next["text"] == text {
            return chats;
        }
        chats.push(next);
    }
}

fn assert_increasing(ids: &Vec<u64>) {
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}
