use http::{HeaderMap, Method, StatusCode, Version, header};

use super::End;

/// Longer chunk-size and trailer lines than any server of ours sends.
const MAX_LINE: usize = 4 * 1024;

/// Takes the transfer coding off a response body, as its bytes come (RFC 9112, 6.3 and 7.1).
#[derive(Debug)]
pub(super) enum Body {
    Chunked(Chunked),
    Length(u64),
    UntilClose,
}

impl Body {
    /// How the body that follows this head is delimited.
    pub(super) fn of(
        method: &Method,
        version: Version,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Self, &'static str> {
        let empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if method == Method::HEAD || empty {
            return Ok(Self::Length(0));
        }
        if let Some(coding) = headers.get(header::TRANSFER_ENCODING) {
            if version < Version::HTTP_11 {
                return Err("a transfer coding before HTTP/1.1");
            }
            if headers.contains_key(header::CONTENT_LENGTH) {
                return Err("both a transfer coding and a content length");
            }
            return if coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
                Ok(Self::Chunked(Chunked::default()))
            } else {
                Err("a transfer coding other than chunked")
            };
        }
        match headers.get(header::CONTENT_LENGTH) {
            None => Ok(Self::UntilClose),
            Some(length) => match length.to_str().map(str::parse) {
                Ok(Ok(length)) => Ok(Self::Length(length)),
                _ => Err("a content length that is no number"),
            },
        }
    }

    /// Hands the content in `input` to `take`. An end is the end of the body, clean or malformed.
    pub(super) fn decode(&mut self, input: &[u8], mut take: impl FnMut(&[u8])) -> Option<End> {
        match self {
            Self::UntilClose => {
                take(input);
                None
            }
            Self::Length(left) => {
                let (content, after) = split(input, *left);
                if !content.is_empty() {
                    take(content);
                }
                *left -= content.len() as u64;
                (*left == 0).then(|| end_before(after))
            }
            Self::Chunked(chunked) => chunked.decode(input, take).unwrap_or_else(Some),
        }
    }

    /// What it means that the server closes here, before the body said that it is over.
    pub(super) const fn at_close(&self) -> End {
        match self {
            Self::UntilClose => End::Clean,
            Self::Chunked(_) | Self::Length(_) => End::Cut,
        }
    }
}

/// As much of `input` as belongs to the `left` bytes that are left, and the rest.
fn split(input: &[u8], left: u64) -> (&[u8], &[u8]) {
    let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    input.split_at(len)
}

/// The end of a body that `after` came behind, though nothing more was asked for.
const fn end_before(after: &[u8]) -> End {
    if after.is_empty() {
        End::Clean
    } else {
        End::Malformed("bytes after the end of the body")
    }
}

/// The chunked coding.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    /// What has come of a line whose end has not.
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Size,
    Content(u64),
    EndOfChunk,
    Trailer,
}

impl Chunked {
    fn decode(
        &mut self,
        mut input: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<Option<End>, End> {
        while !input.is_empty() {
            if let State::Content(left) = &mut self.state {
                let (content, rest) = split(input, *left);
                take(content);
                *left -= content.len() as u64;
                input = rest;
                if *left == 0 {
                    self.state = State::EndOfChunk;
                }
                continue;
            }
            let Some(line) = self.line(&mut input)? else {
                break;
            };
            self.state = match self.state {
                State::Size => match chunk_size(&line)? {
                    0 => State::Trailer,
                    size => State::Content(size),
                },
                State::EndOfChunk if line == b"\r\n" => State::Size,
                State::EndOfChunk => return Err(End::Malformed("a chunk longer than its size")),
                State::Trailer if line == b"\r\n" => return Ok(Some(end_before(input))),
                State::Trailer | State::Content(_) => State::Trailer,
            };
        }
        Ok(None)
    }

    /// The next line with its CRLF, once it is whole.
    fn line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, End> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (line, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        self.line.extend_from_slice(line);
        *input = rest;
        if self.line.len() > MAX_LINE {
            return Err(End::Malformed("an endless line in the chunked coding"));
        }
        if end.is_none() {
            return Ok(None);
        }
        if !self.line.ends_with(b"\r\n") {
            return Err(End::Malformed("a bare LF in the chunked coding"));
        }
        Ok(Some(std::mem::take(&mut self.line)))
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, End> {
    match httparse::parse_chunk_size(line) {
        // The parser takes a missing size for zero.
        Ok(httparse::Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => Ok(size),
        _ => Err(End::Malformed("a chunk without a size")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn chunked<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<End>) {
        let (mut body, mut content) = (Body::Chunked(Chunked::default()), Vec::new());
        for piece in pieces {
            let end = body.decode(piece, |bytes| content.extend_from_slice(bytes));
            if end.is_some() {
                return (content, end);
            }
        }
        (content, None)
    }

    #[test]
    fn the_chunked_coding_ends_with_its_last_chunk() {
        let whole = b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        let content = b"abc0123456789".to_vec();
        assert_eq!(chunked([&whole[..]]), (content.clone(), Some(End::Clean)));
        assert_eq!(
            chunked(whole.chunks(1)),
            (content.clone(), Some(End::Clean))
        );
        assert_eq!(chunked([&whole[..whole.len() - 1]]), (content, None));
    }

    #[test]
    fn a_broken_coding_is_told() {
        for (bytes, why) in [
            (&b"\r\n"[..], "a chunk without a size"),
            (b"x\r\n", "a chunk without a size"),
            (b"-1\r\n", "a chunk without a size"),
            (b"fffffffffffffffff\r\n", "a chunk without a size"),
            (b"1\nx", "a bare LF in the chunked coding"),
            (b"1\r\nxy\r\n", "a chunk longer than its size"),
            (b"0\r\n\r\nx", "bytes after the end of the body"),
            (&[b'1'; 5_000], "an endless line in the chunked coding"),
        ] {
            assert_eq!(chunked([bytes]).1, Some(End::Malformed(why)));
        }
    }

    #[test]
    fn a_length_counts_down() {
        let (mut body, mut content) = (Body::Length(5), Vec::new());
        let mut decode = |bytes: &[u8]| body.decode(bytes, |b| content.extend_from_slice(b));
        assert_eq!(decode(b"abc"), None);
        assert_eq!(decode(b"de"), Some(End::Clean));
        assert_eq!(content, b"abcde");
        assert_eq!(
            Body::Length(1).decode(b"ab", |_| {}),
            Some(End::Malformed("bytes after the end of the body"))
        );
    }

    #[test]
    fn the_head_says_how_the_body_is_delimited() {
        let body = |version, status, name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(
                header::HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            )]);
            Body::of(&Method::GET, version, status, &headers)
        };
        let (v10, v11, ok) = (Version::HTTP_10, Version::HTTP_11, StatusCode::OK);
        assert!(matches!(
            body(v11, ok, "transfer-encoding", "chunked"),
            Ok(Body::Chunked(_))
        ));
        assert!(body(v10, ok, "transfer-encoding", "chunked").is_err());
        assert!(body(v11, ok, "transfer-encoding", "gzip, chunked").is_err());
        assert!(matches!(
            body(v11, ok, "content-length", "7"),
            Ok(Body::Length(7))
        ));
        assert!(body(v11, ok, "content-length", "7, 7").is_err());
        assert!(matches!(body(v10, ok, "server", "x"), Ok(Body::UntilClose)));
        let no_content = StatusCode::NO_CONTENT;
        assert!(matches!(
            body(v11, no_content, "server", "x"),
            Ok(Body::Length(0))
        ));
    }

    proptest! {
        #[test]
        fn any_chunks_split_anywhere_read_the_same(
            chunks in vec(vec(any::<u8>(), 1..40), 0..8),
            piece in 1..60_usize,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend(format!("{:x}\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
            prop_assert_eq!(chunked(wire.chunks(piece)), (chunks.concat(), Some(End::Clean)));
        }
    }
}
