use std::{pin::Pin, sync::Arc, thread, time::Duration};

use futures_util::FutureExt;
use sse_core::{
    Connection, ConnectionId, GroupName, GroupRule, MemoryRegistry, Registry, RegistryError,
    RegistryStats, Target, async_trait,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
};

/// Where a registry makes its changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Post {
    /// In a task.
    Task,
    /// On a thread of its own.
    Thread,
}

type Change = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A registry that hands each change over and waits for the answer, as one does that asks a
/// server: a change whose future is dropped is still made, some time later.
#[derive(Debug)]
pub(super) struct Posting {
    inner: Arc<MemoryRegistry>,
    post: mpsc::UnboundedSender<Change>,
}

impl Posting {
    pub(super) fn new(at: Post) -> Self {
        let (post, mut posted) = mpsc::unbounded_channel::<Change>();
        match at {
            Post::Task => drop(tokio::spawn(async move {
                while let Some(change) = posted.recv().await {
                    for _ in 0..3 {
                        yield_now().await;
                    }
                    change.await;
                }
            })),
            Post::Thread => drop(thread::spawn(move || {
                while let Some(change) = posted.blocking_recv() {
                    thread::sleep(Duration::from_millis(1));
                    change.now_or_never().unwrap();
                }
            })),
        }
        Self {
            inner: Arc::default(),
            post,
        }
    }

    async fn posted<T: Send + 'static>(
        &self,
        change: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (answer, answered) = oneshot::channel();
        let change = async move {
            // Whoever asked for it may have gone.
            drop(answer.send(change.await));
        };
        drop(self.post.send(Box::pin(change)));
        answered.await.unwrap()
    }
}

#[async_trait]
impl Registry for Posting {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let inner = Arc::clone(&self.inner);
        self.posted(async move { inner.insert(connection).await })
            .await
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        let inner = Arc::clone(&self.inner);
        self.posted(async move { inner.remove(id).await }).await
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        let inner = Arc::clone(&self.inner);
        self.posted(async move { inner.join(id, group).await })
            .await
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        let (inner, group) = (Arc::clone(&self.inner), group.clone());
        self.posted(async move { inner.leave(id, &group).await })
            .await
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
