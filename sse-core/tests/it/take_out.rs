//! What is taken out of a registry across runtimes, by a registry that fails, and at a heartbeat.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::support::{eventually, open, panic_quietly, pass, settle, subscribe, text};
use sse_core::*;

const SECOND: Duration = Duration::from_secs(1);

/// Removes only when it may.
#[derive(Debug)]
struct Slow {
    inner: MemoryRegistry,
    go_on: tokio::sync::Semaphore,
    panics: AtomicBool,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryRegistry::new(),
            go_on: tokio::sync::Semaphore::new(0),
            panics: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Registry for Slow {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        self.inner.insert(connection).await
    }
    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        if self.panics.swap(false, Ordering::SeqCst) {
            panic_quietly()
        }
        let _permit = self.go_on.acquire().await;
        self.inner.remove(id).await
    }
    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        self.inner.join(id, group).await
    }
    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        self.inner.leave(id, group).await
    }
    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        self.inner.visit(target, each);
    }
    fn group_rule(&self) -> GroupRule {
        self.inner.group_rule()
    }

    fn stats(&self) -> RegistryStats {
        self.inner.stats()
    }
}

#[test]
fn a_new_runtime_takes_out_what_the_old_one_was_at() {
    let registry = Slow::new();
    let hub = Hub::builder()
        .registry(Arc::clone(&registry))
        .build()
        .unwrap();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    first.block_on(async {
        for n in 0..5 {
            drop(open(&hub, &n.to_string(), &[]).await);
        }
        settle().await;
    });
    drop(first);
    registry.go_on.add_permits(100);
    runtime().block_on(async {
        let _new = open(&hub, "new", &[]).await;
        for _ in 0..20 {
            settle().await;
        }
        assert_eq!(registry.stats().connections, 1);
    });
}

#[test]
fn a_publication_on_a_second_runtime_takes_out_what_ended() {
    let registry = Arc::new(MemoryRegistry::new());
    let hub = Hub::builder()
        .registry(Arc::clone(&registry))
        .build()
        .unwrap();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let (gone, _stays) = first.block_on(async {
        (
            open(&hub, "gone", &[]).await,
            open(&hub, "stays", &[]).await,
        )
    });
    drop(first);
    drop(gone);
    runtime().block_on(async {
        hub.broadcast(text("x")).await.unwrap();
        for _ in 0..20 {
            settle().await;
        }
        assert_eq!(registry.stats().connections, 1);
    });
}

#[tokio::test]
async fn one_registry_that_fails_for_one_connection_holds_up_no_other() {
    #[derive(Debug, Default)]
    struct Picky(MemoryRegistry);
    #[async_trait]
    impl Registry for Picky {
        async fn insert(&self, c: Arc<Connection>) -> Result<(), RegistryError> {
            self.0.insert(c).await
        }
        async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
            let mut bad = false;
            self.0.visit(&Target::connection(id), &mut |c| {
                bad = c.client().as_str().starts_with("bad")
            });
            if bad {
                return Err(RegistryError::backend("no"));
            }
            self.0.remove(id).await
        }
        async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
            self.0.join(id, group).await
        }
        async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
            self.0.leave(id, group).await
        }
        fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
            self.0.visit(target, each);
        }
        fn group_rule(&self) -> GroupRule {
            self.0.group_rule()
        }

        fn stats(&self) -> RegistryStats {
            self.0.stats()
        }
    }
    let clock = ManualClock::new();
    let registry = Arc::new(Picky::default());
    let hub = Hub::builder()
        .clock(clock.clone())
        .registry(Arc::clone(&registry))
        .build()
        .unwrap();
    let mut readers = Vec::new();
    for n in 0..60 {
        readers.push(open(&hub, &format!("bad{n}"), &[]).await);
    }
    let good = open(&hub, "good", &[]).await;
    drop(readers);
    drop(good);
    pass(&clock, 5 * SECOND).await;
    eventually(|| registry.stats().clients == 60).await;
}

/// Panics at the notices that come after the first `good`.
#[derive(Debug, Default)]
struct AtNotice {
    good: usize,
    count: AtomicUsize,
    closed: AtomicBool,
}

impl EventSink for AtNotice {
    fn try_send(&self, _: &Frame, _: WhenFull) -> Offer {
        if self.count.fetch_add(1, Ordering::SeqCst) >= self.good {
            panic_quietly()
        }
        Offer::QUEUED
    }
    fn wake(&self) {}
    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(true)
    }
    fn progress(&self) -> Progress {
        Progress::default()
    }
    fn close(&self, _: CloseReason) {
        self.closed.store(true, Ordering::SeqCst);
    }
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_sink_that_panics_at_a_heartbeat_is_closed() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let sink = Arc::new(AtNotice {
        good: 1,
        ..AtNotice::default()
    });
    let attached = hub
        .attach(subscribe("ada", &[]), Arc::<AtNotice>::clone(&sink))
        .await
        .unwrap();
    attached.note_polled();
    pass(&clock, 40 * SECOND).await;
    assert_eq!(sink.count.load(Ordering::SeqCst), 2);
    assert!(sink.is_closed());
}

#[tokio::test]
async fn a_panic_whose_payload_panics_too_is_no_match() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic_quietly()
            }
        }
    }
    let hub = Hub::builder().build().unwrap();
    let mut ada = open(&hub, "ada", &[]).await;
    let sent = hub
        .send_where(|_| std::panic::resume_unwind(Box::new(Bomb)), text("x"))
        .await;
    let _ = &sent;
    hub.broadcast(text("next")).await.unwrap();
    assert_eq!(ada.read(), ["next"]);
    assert!(sent.is_ok());
}
