use http::{HeaderMap, header};

/// The token of a request: that of its `Authorization`, or else that of its query, because an `EventSource`
/// sets no headers. Where there is the header, the query isn't looked at.
pub(crate) fn token(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        return is_bearer.then(|| token.trim().to_owned());
    }
    let mut parameters = form_urlencoded::parse(query?.as_bytes());
    parameters.find_map(|(name, value)| (name == "token").then(|| value.into_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_header_wins_over_the_query() {
        let with = |value: Option<&[u8]>, query| {
            let value = value.map(|value| HeaderValue::from_bytes(value).unwrap());
            let headers = value.map(|value| (header::AUTHORIZATION, value));
            token(&headers.into_iter().collect(), query)
        };
        let some = |token: &str| Some(token.to_owned());
        assert_eq!(with(None, None), None);
        assert_eq!(with(None, Some("a=b&t%6fken=x%2b&token=y")), some("x+"));
        assert_eq!(with(None, Some("tokens=x")), None);
        assert_eq!(with(Some(b"Bearer x"), Some("token=y")), some("x"));
        assert_eq!(with(Some(b"bEARER  x "), None), some("x"));
        for other in [&b"Basic eDp5"[..], b"Bearer", b"", b"\xff x"] {
            assert_eq!(with(Some(other), Some("token=y")), None, "{other:?}");
        }
    }
}
