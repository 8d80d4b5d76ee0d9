//! Routers of other kinds: one that keeps positions, one that goes back, one that loses.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::support::{Notebook, open, poll, soon, subscribe, text};
use sse_core::{
    Accepted, Batch, Deliver, EventSink, Hub, Lost, MemoryRegistry, OutcomeError, Pending,
    Position, PublishError, Registry, RouteError, Router, Target, async_trait,
};

/// Numbers what isn't transient, as a router with a log would.
#[derive(Debug, Default)]
struct LogRouter {
    to: Mutex<Option<Arc<dyn Deliver>>>,
    sequence: AtomicU64,
}

impl LogRouter {
    fn deliver(&self) -> Arc<dyn Deliver> {
        Arc::clone(self.to.lock().unwrap().as_ref().expect("it was started"))
    }

    fn route(&self, batch: Batch) -> Vec<Accepted> {
        let position = |transient: bool| {
            let next = || self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
            (!transient).then(|| Position::new(7, next()))
        };
        let routed: Vec<_> = batch
            .into_iter()
            .map(|publication| {
                let position = position(publication.event().is_transient());
                publication.route(position)
            })
            .collect();
        drop(self.deliver().deliver(&routed));
        let accepted = routed.iter().map(|routed| Accepted {
            position: routed.frame.position(),
            duplicate: false,
        });
        accepted.collect()
    }
}

#[async_trait]
impl Router for LogRouter {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        *self.to.lock().unwrap() = Some(to);
        Ok(Position::new(7, 0))
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        Ok(self.route(batch))
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        Ok(Pending::ready(self.route(batch)))
    }

    async fn shutdown(&self) {}
}

fn hub() -> (Hub, Arc<LogRouter>) {
    let router = Arc::new(LogRouter::default());
    let hub = Hub::builder().router(Arc::clone(&router)).build().unwrap();
    (hub, router)
}

#[tokio::test]
async fn a_kept_event_carries_its_position_unless_it_has_an_id() {
    let (hub, _router) = hub();
    let mut ada = open(&hub, "ada", &[]).await;
    let kept = hub.broadcast(text("kept")).await.unwrap();
    let transient = sse_core::Event::text("transient").transient();
    let transient = hub.broadcast(transient).await.unwrap();
    let own = sse_core::Event::text("own").id("mine");
    let own = hub.broadcast(own).await.unwrap();

    let positions = [kept, transient, own].map(|receipt| receipt.position());
    let at = |sequence| Some(Position::new(7, sequence));
    assert_eq!(positions, [at(1), None, at(2)]);
    let ids: Vec<_> = ada.seen().into_iter().map(|seen| seen.id).collect();
    let first = Position::new(7, 1).to_string();
    assert_eq!(ids, [Some(first), None, Some("mine".to_owned())]);
}

#[tokio::test]
async fn a_position_is_delivered_once_whatever_the_router_does() {
    let (hub, router) = hub();
    let mut ada = open(&hub, "ada", &[]).await;
    hub.broadcast(text("1")).await.unwrap();
    hub.broadcast(text("2")).await.unwrap();
    router.sequence.store(0, Ordering::SeqCst);
    let back = hub.broadcast(text("back")).await.unwrap();
    assert_eq!(back.outcome().await, Err(OutcomeError::Lost));
    router.sequence.store(2, Ordering::SeqCst);
    hub.broadcast(text("3")).await.unwrap();
    assert_eq!(ada.read(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_loss_is_told_to_everyone() {
    let (hub, router) = hub();
    let mut readers = [open(&hub, "ada", &[]).await, open(&hub, "bob", &[]).await];
    hub.broadcast(text("1")).await.unwrap();
    router
        .deliver()
        .lost(Some(Position::new(7, 1)), Lost::Backend);
    hub.broadcast(text("2")).await.unwrap();
    for reader in &mut readers {
        assert_eq!(reader.read(), ["1", r#"gap {"cause":"backend"}"#, "2"]);
    }
    assert_eq!(hub.info().lost, 1);
}

#[tokio::test]
async fn whoever_waits_for_the_outcome_of_what_was_lost_learns_it() {
    /// Accepts, and delivers nothing.
    #[derive(Debug, Default)]
    struct Losing(LogRouter);

    #[async_trait]
    impl Router for Losing {
        async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
            self.0.start(to).await
        }

        async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
            Ok(vec![Accepted::default(); batch.len()])
        }

        fn try_publish(&self, _: Batch) -> Result<Pending, RouteError> {
            Err(RouteError::Busy)
        }

        async fn shutdown(&self) {}
    }

    let router = Arc::new(Losing::default());
    let hub = Hub::builder().router(Arc::clone(&router)).build().unwrap();
    let receipt = hub.broadcast(text("x")).await.unwrap();
    let mut outcome = Box::pin(receipt.outcome());
    assert!(poll(outcome.as_mut()).is_pending());
    router.0.deliver().lost(None, Lost::Evicted);
    assert_eq!(soon(outcome).await, Err(OutcomeError::Lost));
    let refused = hub.try_publish(Target::everybody(), text("x"));
    assert!(matches!(refused, Err(PublishError::Busy)));
}

#[tokio::test]
async fn a_shared_seam_is_used_as_it_is() {
    let router: Arc<dyn Router> = Arc::new(LogRouter::default());
    let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::new());
    let hub = Hub::builder()
        .router(Arc::clone(&router))
        .registry(Arc::clone(&registry))
        .build()
        .unwrap();
    let notebook = Arc::new(Notebook::default());
    let sink: Arc<dyn EventSink> = Arc::new(Arc::<Notebook>::clone(&notebook));
    let attached = hub.attach(subscribe("ada", &["g"]), sink).await.unwrap();
    hub.send_group("g", text("x")).await.unwrap();
    assert_eq!(notebook.read(), ["connected", "x"]);
    assert_eq!(registry.stats().connections, 1);
    attached.handle().leave("g").await.unwrap();
    assert_eq!(registry.stats().groups, 0);
    drop(attached);
    assert!(notebook.is_closed());
}

/// A hub starts its router once, also when the first start fails or is dropped midway.
#[tokio::test]
async fn a_start_that_fails_is_tried_again() {
    #[derive(Debug, Default)]
    struct Slow {
        starts: AtomicU64,
        log: LogRouter,
    }

    #[async_trait]
    impl Router for Slow {
        async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
            match self.starts.fetch_add(1, Ordering::SeqCst) {
                0 => std::future::pending().await,
                1 => Err(RouteError::backend("not yet")),
                _ => self.log.start(to).await,
            }
        }

        async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
            self.log.publish(batch).await
        }

        fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
            self.log.try_publish(batch)
        }

        async fn shutdown(&self) {}
    }

    let router = Arc::new(Slow::default());
    let hub = Hub::builder().router(Arc::clone(&router)).build().unwrap();
    let first = hub.try_publish(Target::everybody(), text("x"));
    assert!(
        matches!(first, Err(PublishError::Router(RouteError::NotStarted))),
        "it can't wait"
    );
    let second = hub.start().await;
    assert!(matches!(second, Err(PublishError::Router(_))));
    hub.broadcast(text("x")).await.unwrap();
    hub.broadcast(text("x")).await.unwrap();
    assert_eq!(router.starts.load(Ordering::SeqCst), 3);
}
