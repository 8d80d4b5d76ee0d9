//! A store of one's own: slow, failing, and left in the midst of it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chat::{Chat, Draft, MemoryStore, Message, Nickname, Settings, Store, StoreError, app};
use serde_json::{Value, json};
use sse_conformance::{StreamClient, request};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::sleep,
};

use crate::{
    Person, chat, chats_until,
    storm::{Chance, END, read_all, storm},
};

/// A room over `store`; it ends with the test.
async fn serve(store: impl Store) -> (SocketAddr, Chat) {
    serve_as(store, &Settings::default()).await
}

async fn serve_as(store: impl Store, settings: &Settings) -> (SocketAddr, Chat) {
    let chat = Chat::new(store, settings).unwrap();
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let server = example_support::bind(any, "--port", Duration::from_secs(90)).unwrap();
    let addr = server.local_addr().unwrap();
    chat.tell_who_is_there();
    tokio::spawn(server.serve(sse_warp::service(app(chat.clone()))));
    (addr, chat)
}

/// Something that happens before each call to a store.
#[async_trait]
trait Before: std::fmt::Debug + Send + Sync + 'static {
    async fn before(&self, call: &'static str) -> Result<(), StoreError>;
}

#[derive(Debug)]
struct With<B>(MemoryStore, Arc<B>);

#[async_trait]
impl<B: Before> Store for With<B> {
    async fn append(&self, draft: Draft) -> Result<Message, StoreError> {
        self.1.before("append").await?;
        let message = self.0.append(draft).await;
        self.1.before("appended").await?;
        message
    }

    async fn recent(&self, whose: &Nickname) -> Result<Vec<Message>, StoreError> {
        self.1.before("recent").await?;
        let recent = self.0.recent(whose).await;
        self.1.before("read from").await?;
        recent
    }

    async fn read(&self, whose: &Nickname, up_to: u64) -> Result<usize, StoreError> {
        self.1.before("read").await?;
        self.0.read(whose, up_to).await
    }

    async fn forget(&self, whose: &Nickname) -> Result<(), StoreError> {
        self.1.before("forget").await?;
        self.0.forget(whose).await
    }
}

/// As far away as another machine.
#[derive(Debug)]
struct Far;

#[async_trait]
impl Before for Far {
    async fn before(&self, _: &'static str) -> Result<(), StoreError> {
        sleep(Duration::from_micros(200)).await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_far_away_changes_nothing() {
    let (addr, _chat) = serve(With(MemoryStore::default(), Arc::new(Far))).await;
    storm(addr).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_after_a_gap() {
    let mut settings = Settings::default();
    settings.history = 10;
    let store = With(MemoryStore::default(), Arc::new(Far));
    let (addr, _chat) = serve_as(store, &settings).await;
    storm(addr).await;
}

/// Keeps everything from being said until it is opened.
#[derive(Debug)]
struct Door {
    reached: Notify,
    opened: Semaphore,
}

#[async_trait]
impl Before for Door {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        if call == "append" {
            self.reached.notify_one();
            let _permit = self.opened.acquire().await.map_err(StoreError::backend)?;
        }
        Ok(())
    }
}

/// Long enough for the server to see what was sent to it before: it answers others all the while.
async fn until_seen(addr: SocketAddr) {
    for _ in 0..20 {
        request(addr, "GET", "/", &[], "").await;
    }
}

#[tokio::test]
async fn a_state_that_waits_long_for_its_turn_tells_nothing_twice() {
    let door = Arc::new(Door {
        reached: Notify::new(),
        opened: Semaphore::new(0),
    });
    let (addr, _chat) = serve(With(MemoryStore::default(), Arc::clone(&door))).await;
    let (ada, bob) = (
        Person::join(addr, "ada").await,
        Person::join(addr, "bob").await,
    );
    let (private, public) = (
        json!({ "text": "psst", "to": "bob" }),
        json!({ "text": "x" }),
    );
    let mut sends = JoinSet::new();
    // Each hundred queues up behind the last.
    for hundred in 0..13 {
        for _ in 0..100 {
            let body = if hundred == 0 { &private } else { &public };
            let (ada, body) = (ada.clone(), body.clone());
            sends.spawn(async move { ada.said(&body).await });
        }
        until_seen(addr).await;
    }
    door.reached.notified().await;
    let reading = tokio::spawn(read_all(bob, Chance(0), false));
    until_seen(addr).await;
    door.opened.add_permits(1);
    assert_eq!(sends.join_all().await.len(), 1_300);
    ada.say(END).await;
    let ids = reading.await.unwrap();
    let private = ids.iter().filter(|id| **id <= 100).count();
    assert_eq!(private, 100, "each once, as all are in their order");
}

#[tokio::test]
async fn a_room_full_of_private_messages_takes_public_ones() {
    let (store, eve) = (MemoryStore::default(), Nickname::new("eve").unwrap());
    // With what each takes besides its text, as many as fit to the last byte.
    let large = Draft {
        from: eve.clone(),
        to: Some(eve),
        text: "x".repeat(1024 * 1024 - 256),
        time: String::new(),
    };
    while store.append(large.clone()).await.is_ok() {}
    let (addr, _chat) = serve(store).await;
    let (ada, _bob) = (
        Person::join(addr, "ada").await,
        Person::join(addr, "bob").await,
    );
    let refused = ada
        .post("/send", &json!({ "text": "x", "to": "bob" }))
        .await;
    assert_eq!(refused.status, 507);
    let error = refused.json::<Value>()["error"].take();
    assert!(
        error.as_str().unwrap().contains("private messages"),
        "{error}"
    );
    ada.say("to all").await;
}

/// Fails while it is told to.
#[derive(Debug, Default)]
struct Failing(AtomicBool);

#[async_trait]
impl Before for Failing {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        match self.0.load(Ordering::SeqCst) && call != "appended" {
            true => Err(StoreError::backend("a secret about the backend")),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn what_the_store_cant_do_is_refused_and_not_half_done() {
    let failing = Arc::new(Failing::default());
    let store = With(MemoryStore::default(), Arc::clone(&failing));
    let (addr, chat_room) = serve(store).await;
    let (ada, bob) = (
        Person::join(addr, "ada").await,
        Person::join(addr, "bob").await,
    );
    let (mut stream, _) = ada.open().await;
    failing.0.store(true, Ordering::SeqCst);
    for (path, body) in [
        ("/send", json!({ "text": "lost" })),
        ("/send", json!({ "text": "lost", "to": "bob" })),
        ("/read", json!({ "id": 1 })),
        ("/leave", Value::Null),
    ] {
        let refused = ada.post(path, &body).await;
        assert_eq!(refused.status, 503, "{path}");
        let error = json!({ "error": "the messages can't be had just now" });
        assert_eq!(refused.json::<Value>(), error);
    }
    let mut without = bob.stream(None).await;
    without.next_named("connected").await;
    without.next_named("reconnect").await;
    without.ended().await;
    failing.0.store(false, Ordering::SeqCst);
    assert_eq!(chat_room.hub().info().connections, 1);
    bob.say("end").await;
    assert!(chats_until(&mut stream, "end").await.is_empty());
    assert_eq!(bob.history().await, [1]);
    ada.say("and she is still there").await;
}

/// Stops at what comes after `append` until it is told to go on.
#[derive(Debug, Default)]
struct Gate {
    reached: Notify,
    opened: Notify,
}

#[async_trait]
impl Before for Gate {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        if call == "appended" {
            self.reached.notify_one();
            self.opened.notified().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_sender_who_goes_away_midway_leaves_no_half_of_it() {
    let gate = Arc::new(Gate::default());
    let (addr, _chat) = serve(With(MemoryStore::default(), Arc::clone(&gate))).await;
    let (ada, bob) = (
        Person::join(addr, "ada").await,
        Person::join(addr, "bob").await,
    );
    let (mut bobs, _) = bob.open().await;
    let token = format!("Bearer {}", ada.token);
    let call = StreamClient::open(addr, "/send")
        .method("POST")
        .header("authorization", token)
        .header("content-type", "application/json")
        .body(json!({ "text": "good bye" }).to_string());
    let sending = tokio::spawn(call.try_open());
    gate.reached.notified().await;
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    until_seen(addr).await;
    gate.opened.notify_one();
    assert_eq!(chat(&mut bobs).await["text"], "good bye");
    assert_eq!(bob.history().await, [1]);
}

#[tokio::test]
async fn a_hub_that_is_closed_takes_nothing() {
    let (addr, room) = serve(MemoryStore::default()).await;
    let ada = Person::join(addr, "ada").await;
    room.hub().shutdown(sse_core::Drain::default()).await;
    let refused = ada.post("/send", &json!({ "text": "x" })).await;
    assert_eq!(refused.status, 503);
    assert!(refused.json::<Value>()["error"].is_string());
}
