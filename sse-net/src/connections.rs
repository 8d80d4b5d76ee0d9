use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};

use crate::stalls::Stalls;

/// The connections that are being served, a task each. Dropping it cuts them off.
#[derive(Debug)]
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    /// What each has under way, and how to cut it off.
    under_way: HashMap<Id, (AbortHandle, Arc<Stalls>)>,
    /// Closed when they are to finish.
    finish: watch::Sender<()>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            finish: watch::Sender::new(()),
        }
    }

    /// Serves a connection, which is told by `Finish` when it is to come to its end, and whose
    /// responses are watched by `stalls`.
    pub(crate) fn spawn<F>(&mut self, stalls: Arc<Stalls>, serve: impl FnOnce(Finish) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let finish = Finish(self.finish.subscribe());
        let task = self.tasks.spawn(serve(finish));
        self.under_way.insert(task.id(), (task, stalls));
    }

    /// Cuts off each connection whose responses don't get on for too long.
    pub(crate) fn cut_stalled(&self, limit: Duration) {
        let now = Instant::now();
        for (task, stalls) in self.under_way.values() {
            if stalls.are_too_long(now, limit) {
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
            mut tasks, finish, ..
        } = self;
        drop(finish);
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
pub(crate) struct Finish(watch::Receiver<()>);

impl Finish {
    /// Waits until the connection is to finish.
    ///
    /// Cancel safe.
    pub(crate) async fn asked(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}
