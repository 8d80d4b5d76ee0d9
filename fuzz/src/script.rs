//! Inputs that people can read: a word and a value a line.

/// A line of a script.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// What stands before the first blank.
    pub(crate) word: &'a [u8],
    /// What stands after it, unescaped.
    pub(crate) value: Vec<u8>,
}

impl Line<'_> {
    /// The value as text; what isn't UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }

    /// The value as a number, the greatest where it is too great; none if it isn't one.
    pub(crate) fn number(&self) -> Option<u64> {
        number(&self.value)
    }
}

/// The decimal number that `digits` are, the greatest where it is too great.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        digits.iter().fold(0, |number: u64, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
    })
}

/// The lines of a script. Any bytes are one: who reads it ignores words that it doesn't know.
pub(crate) fn lines(script: &[u8]) -> impl Iterator<Item = Line<'_>> {
    script.split(|byte| *byte == b'\n').map(|line| {
        let blank = line.iter().position(|byte| *byte == b' ');
        let (word, value) = blank.map_or((line, &b""[..]), |at| (&line[..at], &line[at + 1..]));
        Line {
            word,
            value: unescaped(value),
        }
    })
}

/// Resolves `\n`, `\r`, `\0`, `\\` and `\xNN`; any other backslash stands for itself.
fn unescaped(mut value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    while let [first, rest @ ..] = value {
        let (byte, rest) = match value {
            [b'\\', b'n', rest @ ..] => (b'\n', rest),
            [b'\\', b'r', rest @ ..] => (b'\r', rest),
            [b'\\', b'0', rest @ ..] => (0, rest),
            [b'\\', b'\\', rest @ ..] => (b'\\', rest),
            [b'\\', b'x', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (*first, &value[1..]),
            },
            _ => (*first, rest),
        };
        bytes.push(byte);
        value = rest;
    }
    bytes
}

/// What a hexadecimal digit counts.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_word_and_a_value() {
        let script: Vec<Line<'_>> = lines(b"text a b\nend\n\n text").collect();
        let read: Vec<(&[u8], String)> = script.iter().map(|l| (l.word, l.text())).collect();
        let expected: [(&[u8], &str); 4] =
            [(b"text", "a b"), (b"end", ""), (b"", ""), (b"", "text")];
        assert_eq!(read, expected.map(|(word, value)| (word, value.to_owned())));
    }

    #[test]
    fn escapes_stand_for_what_a_line_cannot_hold() {
        assert_eq!(unescaped(br"a\nb\r\0\\n\xfF"), b"a\nb\r\0\\n\xff");
        assert_eq!(unescaped(br"\q\xg0\x1\"), br"\q\xg0\x1\");
    }

    #[test]
    fn numbers_saturate() {
        assert_eq!(number(b"042"), Some(42));
        assert_eq!(number(b"99999999999999999999"), Some(u64::MAX));
        assert_eq!((number(b""), number(b"1x")), (None, None));
    }
}
