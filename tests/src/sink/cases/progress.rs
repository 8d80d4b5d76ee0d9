//! Cases of what a sink counts.

use sse_core::{
    CloseReason::Stalled,
    Progress,
    WhenFull::{DropOldest, Refuse},
};

use super::support::{Subject, queued};

pub(crate) async fn progress_counts_what_was_taken(subject: Subject) {
    let mut bench = subject.bench(3, 99);
    bench.fill(&["a"]);
    let (taken, told) = (bench.sink.progress().taken, bench.delivered());
    assert!(taken <= told, "{taken} taken, but {told} told as delivered");
    for words in [&["!1", "b"][..], &["!2"], &["c", "d", "e", "f", "!3"]] {
        bench.put(words, DropOldest);
        bench.read();
        let taken = bench.sink.progress().taken;
        assert_eq!(taken, bench.frames, "frames, notices and gaps came out");
    }
}

pub(crate) async fn progress_counts_what_waits(subject: Subject) {
    let Some(mut bench) = subject.queue(9, 99) else {
        return;
    };
    let rows = [
        ("a", 1, 9),
        ("!1", 2, 9),
        ("k=1", 3, 20),
        ("bb", 4, 30),
        ("k=22", 4, 31),
    ];
    for (word, waiting, bytes) in rows {
        bench.send(word, Refuse);
        let Progress {
            waiting: w,
            bytes: b,
            ..
        } = bench.sink.progress();
        assert_eq!(
            (w, b),
            (waiting, bytes),
            "frames and bytes that wait after {word}"
        );
    }
    bench.read();
    let Progress { waiting, bytes, .. } = bench.sink.progress();
    assert_eq!((waiting, bytes), (0, 0), "all was read");
}

pub(crate) async fn what_was_taken_never_falls(subject: Subject) {
    let mut bench = subject.bench(2, 99);
    let mut before = 0;
    let mut look = |taken: u64, when: &str| {
        assert!(taken >= before, "from {before} to {taken} {when}");
        before = taken;
    };
    for _ in 0..3 {
        bench.put(&["a", "k=1", "!1", "b", "k=2"], DropOldest);
        look(bench.sink.progress().taken, "in a send");
        bench.read();
        look(bench.sink.progress().taken, "in a read");
    }
    bench.put(&["a"], Refuse);
    bench.sink.close(Stalled);
    look(bench.sink.progress().taken, "in a close");
    bench.read();
    look(bench.sink.progress().taken, "at the end");
}

pub(crate) async fn each_event_is_told_as_delivered_once(subject: Subject) {
    let mut bench = subject.bench(9, 999);
    let mut sent = 0;
    for words in [&["a"][..], &["b", "c", "d"], &["e"]] {
        bench.fill(words);
        bench.read();
        sent += words.len() as u64;
        assert_eq!(bench.delivered(), sent, "events left so far");
    }
}

pub(crate) async fn what_never_left_is_not_told_as_delivered(subject: Subject) {
    let Some(mut bench) = subject.queue(2, 99) else {
        return;
    };
    bench.fill(&["a", "k=1"]);
    assert_eq!(bench.delivered(), 0, "nobody has read");
    assert_eq!(bench.send("k=2", DropOldest), queued(1, 0));
    assert_eq!(bench.send("b", DropOldest), queued(0, 1));
    bench.read();
    assert_eq!(bench.delivered(), 2, "one was replaced, one dropped");
    bench.fill(&["c"]);
    bench.sink.close(Stalled);
    bench.read();
    assert_eq!(bench.delivered(), 2, "the last was thrown away");
}
