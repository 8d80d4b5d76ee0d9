use std::time::Duration;

use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};

/// The connections that are being served, a task each. Dropping it cuts them off.
#[derive(Debug)]
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    /// Closed when they are to finish.
    finish: watch::Sender<()>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            finish: watch::Sender::new(()),
        }
    }

    /// Serves a connection, which is told by `Finish` when it is to come to its end.
    pub(crate) fn spawn<F>(&mut self, serve: impl FnOnce(Finish) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(serve(Finish(self.finish.subscribe())));
    }

    /// Forgets a connection that has ended, when there is one; never ready without any.
    ///
    /// Cancel safe.
    pub(crate) async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(ended) => note(ended),
            None => std::future::pending().await,
        }
    }

    /// Tells all to finish, waits up to `grace`, drops the rest, and says how many those were.
    pub(crate) async fn finish(self, grace: Duration) -> usize {
        let Self { mut tasks, finish } = self;
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
