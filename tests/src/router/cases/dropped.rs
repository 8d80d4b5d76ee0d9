//! Cases of futures that are dropped.

use std::sync::Arc;

use tokio::task::yield_now;

use super::support::{
    Subject, batch, held_up, keyed, numbered, poll, poll_and_drop, publish, publishing, settled,
    started, taken, to,
};

/// How often a future is polled at the most before it is dropped.
const POLLS: usize = 5;

const BATCH: [&str; 3] = ["1", "2", "3"];

pub(crate) async fn a_dropped_publication_is_whole_or_nothing(router: Subject) {
    let recorder = started(&router).await;
    for polls in 0..POLLS {
        let before = recorder.names().len();
        poll_and_drop(router.publish(batch(BATCH)), polls);
        let delivered = settled(&router, &recorder).await.split_off(before);
        assert_whole(&delivered, polls);
        assert!(
            polls > 0 || delivered.is_empty(),
            "a future that nobody polled published"
        );
    }
}

#[track_caller]
fn assert_whole(delivered: &[String], polls: usize) {
    assert!(
        delivered.is_empty() || delivered == BATCH,
        "of a batch of {BATCH:?}, dropped after {polls} polls, {delivered:?} was delivered"
    );
}

pub(crate) async fn a_publication_dropped_in_line_is_whole_or_nothing(router: Subject) {
    let recorder = started(&router).await;
    let rounds = (0..POLLS).flat_map(|polls| [(polls, false), (polls, true)]);
    let mut batches = Vec::new();
    for (polls, beside) in rounds {
        let names = BATCH.map(|n| format!("p{polls}-{beside}-{n}"));
        let held = held_up(&router, &recorder).await;
        let mut publishing = publishing(&router, batch(&names));
        for _ in 0..polls {
            if poll(publishing.as_mut()).is_ready() {
                break;
            }
        }
        // It is dropped before its turn comes, or while it does.
        if beside {
            drop(held);
            yield_now().await;
            drop(publishing);
        } else {
            drop(publishing);
            drop(held);
        }
        settled(&router, &recorder).await;
        batches.push(names);
    }
    let delivered = recorder.names();
    for names in batches {
        let own: Vec<_> = delivered.iter().filter(|n| names.contains(n)).collect();
        assert!(
            own.is_empty() || own == names.each_ref(),
            "of a dropped batch of {names:?}, {own:?} was delivered"
        );
    }
}

pub(crate) async fn a_dropped_publication_uses_its_key_up_only_if_delivered(router: Subject) {
    let recorder = started(&router).await;
    for polls in 0..POLLS {
        let before = recorder.names().len();
        let key = format!("k{polls}");
        poll_and_drop(router.publish(keyed("ada", &key).into()), polls);
        publish(&router, keyed("ada", &key)).await;
        let delivered = settled(&router, &recorder).await.split_off(before);
        assert_eq!(
            delivered,
            ["ada"],
            "dropped after {polls} polls and published again"
        );
    }
}

pub(crate) async fn an_answer_need_not_be_awaited(router: Subject) {
    let recorder = started(&router).await;
    drop(router.try_publish(to("n0").into()).expect("it is free"));
    let held = held_up(&router, &recorder).await;
    let in_line = taken(&router, "m", 5).await;
    let count = in_line.len();
    drop(in_line);
    drop(held);
    let mut names = numbered("m", 0..count);
    names.push("n0".to_owned());
    for name in &names {
        recorder.until(name).await;
    }
    let mut delivered = settled(&router, &recorder).await;
    // In which order is another case.
    delivered.sort_unstable();
    assert_eq!(delivered, names);
}

pub(crate) async fn what_aborted_tasks_published_is_whole(router: Subject) {
    let recorder = started(&router).await;
    for turns in 0..2 * POLLS {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let router = Arc::clone(&router);
                tokio::spawn(async move {
                    loop {
                        publish(&router, batch(BATCH)).await;
                        yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..turns {
            yield_now().await;
        }
        for task in tasks {
            task.abort();
            let ended = task.await.expect_err("it publishes for ever");
            assert!(ended.is_cancelled(), "publishing failed: {ended}");
        }
    }
    settled(&router, &recorder).await;
    let calls = recorder.calls();
    let broken = calls
        .iter()
        .find(|call| call.chunks(BATCH.len()).any(|batch| batch != BATCH));
    assert!(broken.is_none(), "batches of {BATCH:?} came as {broken:?}");
}
