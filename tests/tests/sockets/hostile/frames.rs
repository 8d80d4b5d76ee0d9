//! HTTP/2 as no client of ours would speak it (RFC 9113).

/// What an HTTP/2 client sends first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

/// No body follows, and no headers.
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const CANCEL: u32 = 8;

/// Frames, one after the other, right or not.
#[derive(Debug)]
pub(crate) struct Frames(Vec<u8>);

impl Frames {
    /// The beginning of a connection.
    pub(crate) fn new() -> Self {
        let mut frames = Self(PREFACE.to_vec());
        frames.push(SETTINGS, 0, 0, &[]);
        frames
    }

    /// None so far, for a connection that has begun.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn push(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.0.extend(&len[1..]);
        self.0.extend([kind, flags]);
        self.0.extend(stream.to_be_bytes());
        self.0.extend(payload);
    }

    /// A request for a path of up to 126 bytes.
    pub(crate) fn get(&mut self, stream: u32, path: &[u8]) {
        let headers = request(path);
        self.push(HEADERS, END_STREAM | END_HEADERS, stream, &headers);
    }

    /// The same, but more headers follow.
    pub(crate) fn begin_get(&mut self, stream: u32, path: &[u8]) {
        self.push(HEADERS, END_STREAM, stream, &request(path));
    }

    /// So many more headers, which aren't the last.
    pub(crate) fn go_on(&mut self, stream: u32, headers: usize) {
        // A name of one letter and a value of a hundred (RFC 7541, 6.2.2).
        let header = [&[0, 1, b'x', 100][..], &[b'x'; 100]].concat();
        self.push(CONTINUATION, 0, stream, &header.repeat(headers));
    }

    pub(crate) fn reset(&mut self, stream: u32) {
        self.push(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    }
}

/// The headers of a request (RFC 7541, 6 and A).
fn request(path: &[u8]) -> Vec<u8> {
    const GET: u8 = 0x82;
    const HTTP: u8 = 0x86;
    const AUTHORITY: u8 = 0x01;
    const PATH: u8 = 0x04;
    let len = u8::try_from(path.len()).unwrap();
    [&[GET, HTTP, AUTHORITY, 1, b'x', PATH, len], path].concat()
}
