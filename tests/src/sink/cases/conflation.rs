//! Cases of frames that take the place of older ones.

use sse_core::{
    Offer,
    WhenFull::{DropOldest, DropThis, Refuse},
};

use super::support::{EACH, Subject, queued};

pub(crate) async fn a_newer_frame_of_a_key_goes_to_the_end(subject: Subject) {
    let Some(mut bench) = subject.queue(9, 99) else {
        return;
    };
    bench.fill(&["k=1", "a", "k=2", "b", "k=3"]);
    assert_eq!(bench.survivors(), ["a", "b", "k=3"]);
}

pub(crate) async fn a_replaced_frame_is_no_drop(subject: Subject) {
    for full in EACH {
        let Some(mut bench) = subject.queue(9, 99) else {
            return;
        };
        let offers = bench.put(&["k=1", "a", "k=2"], full);
        assert_eq!(offers[2], queued(1, 0), "k=2 took the place of k=1");
        let gap = bench.read().into_iter().find(|word| word.starts_with('-'));
        assert_eq!(gap, None, "nothing was dropped");
    }
}

pub(crate) async fn a_full_sink_conflates(subject: Subject) {
    for full in EACH {
        let Some(bench) = subject.queue(2, 20) else {
            return;
        };
        bench.fill(&["k=1", "a"]);
        let offer = bench.send("k=2", full);
        assert_eq!(offer, queued(1, 0), "k=2 needs the room of k=1, {full:?}");
    }
    // Alone in its sink, the newer one may have any size.
    let bench = subject.bench(1, 5);
    bench.fill(&["k=1", "k=22222222"]);
}

pub(crate) async fn a_refused_frame_leaves_the_older_one(subject: Subject) {
    for (full, answer) in [(Refuse, Offer::Full), (DropThis, Offer::Dropped)] {
        let Some(mut bench) = subject.queue(9, 20) else {
            return;
        };
        bench.fill(&["k=1", "a"]);
        assert_eq!(bench.send("k=2222", full), answer, "it is too large");
        assert_eq!(bench.survivors(), ["k=1", "a"], "{full:?}");
    }
}

pub(crate) async fn only_a_waiting_frame_of_the_same_key_is_replaced(subject: Subject) {
    for full in EACH {
        let mut bench = subject.bench(9, 99);
        let offers = bench.put(&["k=1", "kk=1", "k", "!1"], full);
        assert_eq!(offers, [Offer::QUEUED; 4]);
        assert_eq!(bench.read(), ["k=1", "kk=1", "k", "!1"]);
        let offer = bench.send("k=2", full);
        assert_eq!(offer, Offer::QUEUED, "k=1 had left");
    }
    let Some(mut bench) = subject.queue(9, 20) else {
        return;
    };
    bench.fill(&["k=1", "a"]);
    let offer = bench.send("k=2222", DropOldest);
    assert_eq!(offer, queued(1, 1), "without k=1, it takes the room of a");
    assert_eq!(bench.survivors(), ["k=2222"]);
}
