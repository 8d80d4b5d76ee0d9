//! URLs, read by the standard and by nothing else.

use crate::script::hex;

/// The pairs of a query (WHATWG URL, 5.1 "application/x-www-form-urlencoded parsing").
pub(crate) fn query_pairs(query: &str) -> Vec<(String, Vec<u8>)> {
    let plain = |bytes: &str| percent_decoded(bytes.replace('+', " ").as_bytes());
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = String::from_utf8_lossy(&plain(name)).into_owned();
            (name, plain(value))
        })
        .collect()
}

/// Resolves `%NN`; any other percent sign stands for itself (WHATWG URL, 1.3).
pub(crate) fn percent_decoded(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        let (byte, rest) = match text {
            [b'%', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (*first, &text[1..]),
            },
            _ => (*first, rest),
        };
        bytes.push(byte);
        text = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_pairs() {
        let pairs = query_pairs("a=b+%2B&&c&=d&e=f=g&%61=%");
        let pairs: Vec<(&str, &[u8])> = pairs.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("a", b"b +"),
            ("c", b""),
            ("", b"d"),
            ("e", b"f=g"),
            ("a", b"%"),
        ];
        assert_eq!(pairs, expected);
    }
}
