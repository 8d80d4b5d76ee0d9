use memchr::memchr;

/// Reads one stream of events as it comes: the head, chunks (RFC 9112, 7.1), lines.
///
/// Of an event it looks at `data` and `id` alone, and expects what the generator publishes: one line
/// of data.
#[derive(Debug, Default)]
pub(super) struct Reader {
    state: State,
    /// The beginning of a line whose end hasn't come.
    line: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the blank line; so many bytes of it have come in a row.
    Head,
    #[default]
    Status,
    /// So many bytes of a chunk are to come, the line end behind it included.
    Chunk(usize),
    Size(usize),
    End,
}

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Reader {
    /// Whether the first byte of the body has come.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Chunk(_) | State::Size(_))
    }

    /// Takes `bytes` apart; calls `line` with each line of the body.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        line: &mut impl FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            match self.state {
                State::Status | State::Head => {
                    let Some(head) = self.until_line_end(&mut bytes) else {
                        return Ok(());
                    };
                    let is_ok = self.state == State::Head || head.starts_with(b"HTTP/1.1 200");
                    if !is_ok {
                        return Err(Malformed);
                    }
                    self.state = if head == b"\r" {
                        State::Size(0)
                    } else {
                        State::Head
                    };
                }
                State::Size(so_far) => {
                    let (byte, rest) = (bytes[0], &bytes[1..]);
                    bytes = rest;
                    self.state = match byte {
                        b'\r' => State::Size(so_far),
                        b'\n' if so_far == 0 => State::End,
                        b'\n' => State::Chunk(so_far + 2),
                        digit => {
                            let digit = char::from(digit).to_digit(16).ok_or(Malformed)?;
                            State::Size(so_far * 16 + digit as usize)
                        }
                    };
                }
                State::Chunk(left) => {
                    let here = left.min(bytes.len());
                    let data = &bytes[..here.min(left.saturating_sub(2))];
                    self.lines(data, line)?;
                    bytes = &bytes[here..];
                    self.state = match left - here {
                        0 => State::Size(0),
                        left => State::Chunk(left),
                    };
                }
                State::End => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// A line of the head, without its LF.
    fn until_line_end(&mut self, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let Some(end) = memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            *bytes = &[];
            return None;
        };
        let mut head = std::mem::take(&mut self.line);
        head.extend_from_slice(&bytes[..end]);
        *bytes = &bytes[end + 1..];
        Some(head)
    }

    fn lines(
        &mut self,
        mut data: &[u8],
        line: &mut impl FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        while let Some(end) = memchr(b'\n', data) {
            if self.line.is_empty() {
                line(&data[..end])?;
            } else {
                self.line.extend_from_slice(&data[..end]);
                line(&self.line)?;
                self.line.clear();
            }
            data = &data[end + 1..];
        }
        self.line.extend_from_slice(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        1\r\n\n\r\n7\r\ndata: 1\r\n2\r\n\n\n\r\na\r\ndata: 22\n\n\r\n";

    fn lines(pieces: &[&[u8]]) -> Result<Vec<String>, Malformed> {
        let (mut reader, mut lines) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.push(piece, &mut |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            })?;
        }
        Ok(lines)
    }

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut() {
        let whole = ["", "data: 1", "", "data: 22", ""];
        for at in 0..STREAM.len() {
            let (one, two) = STREAM.split_at(at);
            assert_eq!(lines(&[one, two]).unwrap(), whole, "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_stream_is_told() {
        assert_eq!(lines(&[b"HTTP/1.1 503 no\r\n\r\n"]), Err(Malformed));
        let ended = [STREAM, b"0\r\n\r\n"].concat();
        assert_eq!(lines(&[&ended]), Err(Malformed));
    }
}
