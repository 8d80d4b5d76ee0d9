use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};

use crate::stalls::Stalls;

/// The connections that are being served, a task each. Dropping it cuts them off.
#[derive(Debug)]
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    /// How to cut each of them off, and what else there is to do with it.
    under_way: HashMap<Id, (AbortHandle, Arc<Control>)>,
}

/// What a server has of one of its connections.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Whether what is under way on it gets on.
    pub(crate) stalls: Stalls,
    is_to_finish: AtomicBool,
    /// Its task.
    task: Mutex<Option<Waker>>,
}

impl Control {
    fn finish(&self) {
        self.is_to_finish.store(true, Ordering::Release);
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
        }
    }

    /// Serves a connection, which is told by `Finish` when it is to come to its end.
    pub(crate) fn spawn<F>(&mut self, control: Arc<Control>, serve: impl FnOnce(Finish) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let finish = Finish {
            control: Arc::clone(&control),
            task: None,
        };
        let task = self.tasks.spawn(serve(finish));
        self.under_way.insert(task.id(), (task, control));
    }

    /// Cuts off each connection whose responses don't get on for too long.
    pub(crate) fn cut_stalled(&self, limit: Duration) {
        let now = Instant::now();
        for (task, control) in self.under_way.values() {
            if control.stalls.are_too_long(now, limit) {
                tracing::debug!("a connection takes nothing: it is cut off");
                task.abort();
            }
        }
    }

    /// Forgets a connection that has ended, when there is one; never ready without any.
    ///
    /// Cancel safe.
    pub(crate) async fn ended(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.under_way.remove(&id);
        note(ended.map(drop));
    }

    /// Tells all to finish, waits up to `grace`, drops the rest, and says how many those were.
    pub(crate) async fn finish(self, grace: Duration) -> usize {
        let Self {
            mut tasks,
            under_way,
        } = self;
        for (_, control) in under_way.into_values() {
            control.finish();
        }
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                note(ended);
            }
        };
        if timeout(grace, all).await.is_ok() {
            return 0;
        }
        while let Some(ended) = tasks.try_join_next() {
            note(ended);
        }
        let left = tasks.len();
        tasks.shutdown().await;
        left
    }
}

fn note(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a service panicked; its connection is gone");
    }
}

/// What tells a connection to finish.
#[derive(Debug)]
pub(crate) struct Finish {
    control: Arc<Control>,
    /// The task that is going to be woken.
    task: Option<Waker>,
}

impl Finish {
    /// Ready once the connection is to finish.
    pub(crate) fn poll_asked(&mut self, cx: &Context<'_>) -> Poll<()> {
        let is_asked = || self.control.is_to_finish.load(Ordering::Acquire);
        if is_asked() {
            return Poll::Ready(());
        }
        let is_known = |task: &Waker| task.will_wake(cx.waker());
        if self.task.as_ref().is_some_and(is_known) {
            return Poll::Pending;
        }
        let task = Some(cx.waker().clone());
        let control = &self.control.task;
        (*control.lock().unwrap_or_else(PoisonError::into_inner)).clone_from(&task);
        // It may have been asked before there was anybody to wake.
        if is_asked() {
            return Poll::Ready(());
        }
        self.task = task;
        Poll::Pending
    }

    /// Waits until the connection is to finish.
    ///
    /// Cancel safe.
    #[cfg(feature = "tls")]
    pub(crate) async fn asked(&mut self) {
        std::future::poll_fn(|cx| self.poll_asked(cx)).await;
    }
}
