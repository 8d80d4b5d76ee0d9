//! Cases of the library's own frames, and of the gaps that a sink makes.

use sse_core::{
    Offer,
    WhenFull::{self, DropOldest, DropThis, Refuse},
};

use super::support::{EACH, Numbers, Subject, gap_of, word_of};

pub(crate) async fn a_full_sink_takes_notices(subject: Subject) {
    for full in EACH {
        for (events, bytes) in [(2, 99), (9, 18)] {
            let mut bench = subject.bench(events, bytes);
            bench.fill(&["a", "b"]);
            assert_eq!(bench.put(&["!1", "!2"], full), [Offer::QUEUED; 2]);
            assert_eq!(bench.survivors(), ["a", "b", "!1", "!2"], "{full:?}");
        }
    }
}

pub(crate) async fn a_notice_is_never_dropped(subject: Subject) {
    let Some(mut bench) = subject.queue(1, 99) else {
        return;
    };
    bench.put(&["!1", "a", "!2", "b", "c"], DropOldest);
    assert_eq!(bench.survivors(), ["!1", "!2", "c"]);
}

pub(crate) async fn notices_use_up_no_room(subject: Subject) {
    let notices: Vec<_> = (0..50).map(|n| format!("!{n}")).collect();
    let notices: Vec<_> = notices.iter().map(String::as_str).collect();
    let large = word_of(2_000);
    for full in EACH {
        let bench = subject.bench(2, 18);
        bench.fill(&notices);
        let offers = bench.put(&["a", "b"], full);
        assert_eq!(offers, [Offer::QUEUED; 2], "two events fit, {full:?}");
        let bench = subject.bench(1, 9);
        bench.fill(&notices);
        let offer = bench.send(&large, full);
        assert_eq!(offer, Offer::QUEUED, "no event waits, {full:?}");
    }
}

pub(crate) async fn a_notice_is_not_told_as_delivered(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    bench.fill(&["!1", "!2", "!3"]);
    bench.read();
    assert_eq!(bench.delivered(), 0, "those were notices");
}

pub(crate) async fn a_notice_after_an_event_is_not_left_out(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    let words = ["!1", "a", "!1", "b", "!1"];
    bench.fill(&words);
    assert_eq!(bench.read(), words);
}

pub(crate) async fn a_gap_says_how_many(subject: Subject) {
    for full in [DropOldest, DropThis] {
        let Some(mut bench) = subject.queue(1, 99) else {
            return;
        };
        bench.put(&["a", "b", "c", "d"], full);
        let told: u64 = bench.read().iter().filter_map(|word| gap_of(word)).sum();
        assert_eq!(told, 3, "three were dropped, {full:?}");
    }
}

/// Where gaps stand; `-` is a gap of any number.
const PLACES: &[(usize, usize, WhenFull, &str, &str)] = &[
    (2, 99, DropOldest, "a b c", "- b c"),
    (1, 99, DropOldest, "!1 a b c", "!1 - c"),
    (1, 99, DropOldest, "a !1 b c", "- !1 - c"),
    (2, 99, DropThis, "a b c d", "a b -"),
    (2, 99, DropThis, "a b c !1 d", "a b - !1 -"),
    (9, 27, DropThis, "a xxxxxxxxxxxxxxxxx c", "a - c"),
    (
        9,
        27,
        DropThis,
        "a xxxxxxxxxxxxxxxxx c xxxxxxxxxxxxxxxxx",
        "a - c -",
    ),
];

pub(crate) async fn a_gap_stands_where_frames_are_missing(subject: Subject) {
    for &(events, bytes, full, offered, expected) in PLACES {
        let Some(mut bench) = subject.queue(events, bytes) else {
            return;
        };
        let offered: Vec<_> = offered.split(' ').collect();
        bench.put(&offered, full);
        let mut seen = bench.read();
        for word in &mut seen {
            if gap_of(word).is_some() {
                word.truncate(1);
            }
        }
        assert_eq!(
            seen.join(" "),
            expected,
            "{offered:?}, {full:?}, {events} events of {bytes} bytes"
        );
    }
}

pub(crate) async fn gaps_add_up_to_the_drops(subject: Subject) {
    let Some(mut bench) = subject.queue(5, 60) else {
        return;
    };
    let mut numbers = Numbers::new();
    let (mut dropped, mut told) = (0, 0);
    for step in 0..3_000 {
        let word = match numbers.below(8) {
            0 => format!("!{step}"),
            key @ 1..3 => format!("k{key}={step}"),
            _ => word_of(9 + numbers.below(20)),
        };
        let full = EACH[numbers.below(3)];
        dropped += match bench.send(&word, full) {
            Offer::Queued { dropped, .. } => u64::from(dropped),
            Offer::Dropped => 1,
            Offer::Full if full == Refuse => 0,
            other => panic!("{word:?} was answered with {other:?}, {full:?}"),
        };
        if numbers.below(10) == 0 {
            told += bench
                .read()
                .iter()
                .filter_map(|word| gap_of(word))
                .sum::<u64>();
            assert_eq!(told, dropped, "the drops up to step {step}");
        }
    }
}
