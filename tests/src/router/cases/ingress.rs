//! Cases of a router that has more to do than it can.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
};

use sse_core::RouteError;
use tokio::{runtime::Handle, task::spawn_blocking};

use super::{
    recorder::{MARKER, while_getting_on},
    support::{
        Subject, all_accepted, elsewhere, held_up, poll, publishing, settled, started, taken, to,
        tried_or_blocked,
    },
};

/// How many batches wait at the most.
const MOST: usize = 100_000;

pub(crate) async fn a_full_router_is_busy(router: Subject) {
    let recorder = started(&router).await;
    let _held = held_up(&router, &recorder).await;
    let taken = taken(&router, "n", MOST + 1).await;
    assert!(
        taken.len() <= MOST,
        "{} were taken while nothing could be delivered",
        taken.len()
    );
}

pub(crate) async fn what_was_refused_as_busy_leaves_no_trace(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let full = taken(&router, MARKER, MOST).await;
    let mut refused = Vec::new();
    for n in 0..3 {
        let name = format!("n{n}");
        match router.try_publish(to(&name).into()) {
            Ok(pending) => drop(pending),
            Err(_) => refused.push(name),
        }
    }
    drop(held);
    all_accepted(full).await;
    let delivered = settled(&router, &recorder).await;
    let traces: Vec<_> = refused.iter().filter(|n| delivered.contains(n)).collect();
    assert!(traces.is_empty(), "{traces:?} were refused, and delivered");
    // There is room again for all.
    let again = taken_again(&router).await;
    assert!(again.is_ok(), "afterwards it answered {again:?}");
}

async fn taken_again(router: &Subject) -> Result<(), RouteError> {
    router.try_publish(to("again").into())?.await?;
    Ok(())
}

pub(crate) async fn publish_waits_for_its_turn(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let full = taken(&router, MARKER, MOST).await;
    let polled = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> = (0..3)
        .map(|n| {
            let mut publishing = publishing(&router, to(&format!("n{n}")));
            let polled = Arc::clone(&polled);
            let runtime = Handle::current();
            // On a thread that may be blocked: whether it is, is another case.
            spawn_blocking(move || {
                runtime.block_on(async {
                    let answer = poll_fn(|cx| Poll::Ready(publishing.as_mut().poll(cx))).await;
                    polled.fetch_add(1, Ordering::SeqCst);
                    match answer {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => publishing.await,
                    }
                })
            })
        })
        .collect();
    tried_or_blocked(|| polled.load(Ordering::SeqCst) == 3).await;
    drop(held);
    for publishing in waiting {
        let turn = while_getting_on(|| recorder.brought(), publishing).await;
        let answer = turn.expect("its turn comes");
        let answer = answer.expect("publishing doesn't panic");
        assert!(answer.is_ok(), "publish answered {answer:?}");
    }
    all_accepted(full).await;
    let mut delivered = settled(&router, &recorder).await;
    delivered.sort_unstable();
    assert_eq!(delivered, ["n0", "n1", "n2"]);
}

pub(crate) async fn who_waits_for_a_turn_blocks_no_thread(router: Subject) {
    let recorder = started(&router).await;
    let held = held_up(&router, &recorder).await;
    let full = taken(&router, MARKER, MOST).await;
    let mut publishing = publishing(&router, to("ada"));
    let polled = elsewhere("publish", move || {
        let answer = poll(publishing.as_mut());
        (answer, publishing)
    });
    let (answer, publishing) = polled.await;
    drop((held, full));
    let answer = match answer {
        Poll::Ready(answer) => answer,
        Poll::Pending => {
            let turn = while_getting_on(|| recorder.brought(), publishing).await;
            turn.expect("its turn comes")
        }
    };
    answer.expect("a started router accepts");
    assert_eq!(settled(&router, &recorder).await, ["ada"]);
}

pub(crate) async fn try_publish_needs_no_runtime(router: Subject) {
    let recorder = started(&router).await;
    let publisher = Arc::clone(&router);
    let outside = move || {
        let taken = publisher.try_publish(to("ada").into());
        taken.map(drop)
    };
    // In a runtime's own thread for blocking there would be one.
    let taken = elsewhere("try_publish", || thread::spawn(outside).join()).await;
    let taken = taken.expect("it works outside a runtime");
    taken.expect("a free router isn't busy");
    assert_eq!(settled(&router, &recorder).await, ["ada"]);
}
