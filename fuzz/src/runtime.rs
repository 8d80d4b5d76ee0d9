//! The runtime that the hubs of the targets live on, and how they are left behind.

use sse_core::Hub;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::yield_now,
};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
}

/// How often a hub's task may run until it is done.
pub(crate) const TURNS: usize = 100;

/// Runs a future on the runtime that all inputs of a thread share.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Runs `target` with a hub of its own, so that no input depends on one before it; then nothing
/// may be registered any more, and the hub's task has to end with the hub.
pub(crate) fn with_hub(target: impl AsyncFnOnce(&Hub)) {
    run(async {
        let hub = Hub::builder().build().expect("a hub");
        target(&hub).await;
        assert_nothing_left(&hub).await;
        drop(hub);
        assert_no_task_left().await;
    });
}

/// Asserts that the hub has no connection, or hasn't as soon as its task has run.
pub(crate) async fn assert_nothing_left(hub: &Hub) {
    let registered = || {
        let info = hub.info();
        (info.connections, info.clients, info.groups)
    };
    turns_until(|| registered() == (0, 0, 0)).await;
    assert_eq!(registered(), (0, 0, 0), "something is left registered");
}

/// Asserts that the tasks of all hubs that are gone are gone too.
pub(crate) async fn assert_no_task_left() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    turns_until(|| tasks() == 0).await;
    assert_eq!(tasks(), 0, "a task outlives its hub");
}

async fn turns_until(done: impl Fn() -> bool) {
    for _ in 0..TURNS {
        if done() {
            return;
        }
        yield_now().await;
    }
}
