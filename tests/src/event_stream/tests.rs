use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

fn read(bytes: impl AsRef<[u8]>) -> (Vec<Dispatched>, EventStream) {
    let mut stream = EventStream::new();
    let events = stream.push(bytes.as_ref());
    (events, stream)
}

fn event(event: &str, data: &str, last_event_id: &str) -> Dispatched {
    Dispatched {
        event: event.to_owned(),
        data: data.to_owned(),
        last_event_id: last_event_id.to_owned(),
    }
}

fn message(data: &str) -> Dispatched {
    event("message", data, "")
}

/// The examples of 9.2.1 and 9.2.6.
#[test]
fn examples_of_the_standard() {
    let lines = "data: This is the first message.\n\n\
         data: This is the second message, it\ndata: has two lines.\n\n\
         data: This is the third message.\n\n";
    assert_eq!(
        read(lines).0,
        [
            message("This is the first message."),
            message("This is the second message, it\nhas two lines."),
            message("This is the third message."),
        ]
    );

    let named = "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n\
         event: add\ndata: 113411\n\n";
    assert_eq!(
        read(named).0,
        [
            event("add", "73857293", ""),
            event("remove", "2153", ""),
            event("add", "113411", ""),
        ]
    );

    assert_eq!(
        read("data: YHOO\ndata: +2\ndata: 10\n\n").0,
        [message("YHOO\n+2\n10")]
    );

    let four_blocks = ": test stream\n\ndata: first event\nid: 1\n\n\
         data:second event\nid\n\ndata:  third event\n";
    let (mut events, mut stream) = read(four_blocks);
    assert_eq!(
        events,
        [
            event("message", "first event", "1"),
            message("second event")
        ],
        "the end of the stream is not enough to dispatch the last one"
    );
    assert!(stream.is_midway());
    events = stream.push(b"\n");
    assert_eq!(events, [message(" third event")]);
    assert_eq!(stream.comments(), [" test stream"]);
    assert!(!stream.is_midway());

    assert_eq!(
        read("data\n\ndata\ndata\n\ndata:").0,
        [message(""), message("\n")]
    );
    assert_eq!(
        read("data:test\n\ndata: test\n\n").0,
        [message("test"), message("test")]
    );
}

#[test]
fn lines_end_at_crlf_cr_and_lf() {
    for end in ["\n", "\r", "\r\n"] {
        let text = format!("data: a{end}data: b{end}{end}data: c{end}{end}");
        assert_eq!(read(text).0, [message("a\nb"), message("c")], "{end:?}");
    }
    assert_eq!(
        read("data: a\r\r\ndata: b\n\r\n").0,
        [message("a"), message("b")]
    );
}

#[test]
fn an_event_comes_with_the_first_byte_that_completes_it() {
    let mut stream = EventStream::new();
    assert_eq!(stream.push(b"data: a\r\n\r"), [message("a")]);
    assert_eq!(stream.push(b"\n"), [], "the same end of line");
    assert_eq!(stream.push(b"\n"), [], "a block without data");
    assert_eq!(stream.push(b"data: b\r"), []);
    assert_eq!(stream.push(b""), []);
    assert_eq!(stream.push(b"\n\n"), [message("b")]);
}

#[test]
fn one_leading_bom_is_stripped() {
    assert_eq!(read("\u{feff}data: a\n\n").0, [message("a")]);
    let (events, stream) = read("\u{feff}\u{feff}data: a\n\n");
    assert_eq!(events, []);
    assert_eq!(stream.ignored(), ["\u{feff}data: a"]);
    let (events, _) = read("\n\u{feff}data: a\n\n");
    assert_eq!(events, [], "only at the very beginning");
    assert_eq!(
        read("data: \u{feff}a\n\n").0,
        [message("\u{feff}a")],
        "it is data in data"
    );
}

/// The replacements that the decoder of the Encoding standard makes.
#[test]
fn malformed_utf8_is_replaced() {
    for (bytes, data) in [
        (&b"\xff"[..], "\u{fffd}"),
        (b"\xf0\x9f\xa6", "\u{fffd}"),
        (b"\xf0\x9f\xa6z", "\u{fffd}z"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
        (b"\xf0\x9f\xa6\x80", "\u{1f980}"),
    ] {
        let text = [b"data: ", bytes, b"\n\n"].concat();
        assert_eq!(read(text).0, [message(data)], "{bytes:?}");
    }
}

#[test]
fn an_id_without_data_moves_the_last_event_id() {
    let (events, mut stream) = read("id: 7\nevent: a\n\n");
    assert_eq!(events, []);
    assert_eq!(stream.last_event_id(), "7");
    assert_eq!(
        stream.push(b"data: x\n\n"),
        [event("message", "x", "7")],
        "and the event type is forgotten"
    );
    assert_eq!(stream.push(b"id: 8\n"), []);
    assert_eq!(stream.last_event_id(), "7", "only the blank line sets it");
}

#[test]
fn an_id_with_a_nul_is_ignored() {
    let (events, stream) = read("id: 1\nid: 2\0\ndata: x\n\n");
    assert_eq!(events, [event("message", "x", "1")]);
    assert_eq!(stream.ignored(), ["id: 2\0"]);
}

#[test]
fn retry_takes_ascii_digits_only() {
    let retry = |text: &str| read(text).1.retry().map(|retry| retry.as_millis());
    assert_eq!(retry("retry: 1500\n"), Some(1500), "no blank line needed");
    assert_eq!(retry("retry:007\n"), Some(7));
    assert_eq!(retry("retry: 1\nretry: x\n"), Some(1));
    assert_eq!(
        retry("retry: 99999999999999999999\n"),
        Some(u64::MAX.into())
    );
    for bad in ["", " ", " +1", " -1", "  1", " 1 ", " 1.5", " \u{661}"] {
        assert_eq!(retry(&format!("retry:{bad}\n")), None, "{bad:?}");
    }
}

#[test]
fn fields_are_compared_literally() {
    let (events, stream) = read("Data: a\n data: b\ndata : c\nfoo\nfoo: bar\n\n");
    assert_eq!(events, []);
    assert_eq!(
        stream.ignored(),
        ["Data: a", " data: b", "data : c", "foo", "foo: bar"]
    );
}

/// Pieces of streams, whole and broken, that meet each other in any order.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b": ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"\xbf",
        b"\xf0\x9f\xa6\x80",
        b"\xf0\x9f",
        b"\xa6\x80",
        b"\xc3\xa9",
        b"\0",
        b"7",
        b"x",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_reads_the_same(bytes in bytes(), cuts in vec(any::<Index>(), 0..20)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut stream = EventStream::new();
        let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        let events: Vec<_> = pieces.flat_map(|piece| stream.push(piece)).collect();
        prop_assert_eq!((events, stream), read(bytes));
    }

    #[test]
    fn every_byte_alone_reads_the_same(bytes in bytes()) {
        let mut stream = EventStream::new();
        let events: Vec<_> = bytes.chunks(1).flat_map(|byte| stream.push(byte)).collect();
        prop_assert_eq!((events, stream), read(bytes));
    }

    #[test]
    fn decoding_line_by_line_is_decoding_the_whole(mut bytes in bytes()) {
        bytes.push(b'\n');
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(read(bytes).0, read(text).0);
    }
}
