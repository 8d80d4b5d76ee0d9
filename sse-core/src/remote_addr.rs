//! Where a request came from, as the proxies in front tell it.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of a server, whose word on where a request came from is taken.
///
/// None by default: then a request comes from where its socket does, whatever its headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TrustedProxies {
    /// The networks that they are in, such as `10.0.0.0/8`.
    pub networks: Vec<IpNet>,
    /// By which header they tell; `x-forwarded-for` by default.
    pub header: ForwardedBy,
}

/// The header by which proxies tell where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ForwardedBy {
    /// `X-Forwarded-For`: addresses, the nearest last.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl TrustedProxies {
    /// Proxies in `networks`, which tell by `X-Forwarded-For`.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self {
            networks: networks.into_iter().collect(),
            header: ForwardedBy::default(),
        }
    }

    /// Where a request came from: the nearest address that isn't one of theirs. What they can't have
    /// said ends the search, so that nobody makes his own address up.
    pub(crate) fn origin(&self, peer: IpAddr, told: &Told) -> IpAddr {
        let mut origin = peer.to_canonical();
        let mut told = told.by(self.header);
        while self.is_one(origin)
            && let Some(Some(before)) = told.next()
        {
            origin = before.to_canonical();
        }
        origin
    }

    fn is_one(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// What a request's headers say of where it came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    x_forwarded_for: SmallVec<[HeaderValue; 1]>,
    forwarded: SmallVec<[HeaderValue; 1]>,
}

impl Told {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let all = |name| headers.get_all(name).into_iter().cloned().collect();
        Self {
            x_forwarded_for: all(X_FORWARDED_FOR),
            forwarded: all(FORWARDED),
        }
    }

    /// The addresses, nearest first; `None` where something stands that isn't one.
    fn by(&self, header: ForwardedBy) -> impl Iterator<Item = Option<IpAddr>> + use<> {
        let (values, read): (_, fn(&str) -> Option<IpAddr>) = match header {
            ForwardedBy::XForwardedFor => (&self.x_forwarded_for, |text| address(text.trim())),
            ForwardedBy::Forwarded => (&self.forwarded, forwarded_for),
        };
        let texts = values
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let told: Vec<_> = texts
            .flat_map(|text| parts(&text, ',').into_iter().map(read).collect::<Vec<_>>())
            .collect();
        told.into_iter().rev()
    }
}

/// The parts of a header's value between separators that stand outside of quotes (RFC 9110, 5.6.4).
fn parts(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The node of an element's `for` (RFC 7239, 4 and 6); none where it is hidden or unknown, or stands
/// there twice.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = parts(element, ';')
        .into_iter()
        .filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (_, node) = nodes.next()?;
    if nodes.next().is_some() {
        return None;
    }
    let node = node.trim();
    let quoted = || node.strip_prefix('"')?.strip_suffix('"');
    address(quoted().unwrap_or(node))
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let told = Told::new(&headers.collect());
        proxies.origin(peer.parse().unwrap(), &told).to_string()
    }

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|network| network.parse().unwrap()))
    }

    #[test]
    fn nobody_makes_his_own_address_up() {
        let nobody = TrustedProxies::default();
        let lie = [("x-forwarded-for", "198.51.100.1")];
        assert_eq!(origin(&nobody, "192.0.2.7", &lie), "192.0.2.7");
        let ours = proxies(&["10.0.0.0/8", "fd00::/8"]);
        assert_eq!(origin(&ours, "192.0.2.7", &lie), "192.0.2.7", "not ours");
        let lie = [("x-forwarded-for", "198.51.100.1, 192.0.2.7")];
        assert_eq!(origin(&ours, "10.0.0.1", &lie), "192.0.2.7");
        let lie = [("x-forwarded-for", "10.6.6.6, 192.0.2.7, 10.0.0.2")];
        assert_eq!(origin(&ours, "10.0.0.1", &lie), "192.0.2.7");
        let other = [("forwarded", "for=198.51.100.1")];
        assert_eq!(
            origin(&ours, "10.0.0.1", &other),
            "10.0.0.1",
            "another header"
        );
    }

    #[test]
    fn several_lines_are_one_list() {
        let ours = proxies(&["10.0.0.0/8"]);
        let lines = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-for", "10.0.0.2"),
        ];
        assert_eq!(origin(&ours, "10.0.0.1", &lines), "192.0.2.7");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        let ours = proxies(&["10.0.0.0/8"]);
        for odd in [
            "",
            "unknown",
            "192.0.2.7, ",
            "192.0.2.7, x\u{e9}",
            "999.0.0.1",
            "[::1",
        ] {
            let header = [("x-forwarded-for", odd)];
            assert_eq!(origin(&ours, "10.0.0.1", &header), "10.0.0.1", "{odd:?}");
        }
        assert_eq!(origin(&ours, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn all_forms_of_an_address_are_read() {
        let ours = proxies(&["10.0.0.0/8"]);
        for (told, expected) in [
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            let header = [("x-forwarded-for", told)];
            assert_eq!(origin(&ours, "10.0.0.1", &header), expected);
            assert_eq!(origin(&ours, "::ffff:10.0.0.1", &header), expected);
        }
    }

    #[test]
    fn forwarded_is_read_as_its_standard_has_it() {
        let mut ours = proxies(&["10.0.0.0/8"]);
        ours.header = ForwardedBy::Forwarded;
        for (told, expected) in [
            ("for=192.0.2.7;proto=https;by=203.0.113.43", "192.0.2.7"),
            (
                "proto=http; For=\"[2001:db8:cafe::17]:4711\"",
                "2001:db8:cafe::17",
            ),
            ("for=198.51.100.1, for=192.0.2.7, for=10.0.0.2", "192.0.2.7"),
            ("for=192.0.2.7, for=_hidden", "10.0.0.1"),
            ("for=unknown", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
            // A host that a client chose, which a proxy has quoted.
            ("host=\"a,for=198.51.100.1\";for=192.0.2.7", "192.0.2.7"),
            ("host=\"a;for=198.51.100.1\";for=192.0.2.7", "192.0.2.7"),
            ("host=\"a\\\",for=198.51.100.1\";for=192.0.2.7", "192.0.2.7"),
            ("for=198.51.100.1;for=192.0.2.7", "10.0.0.1"),
            ("for=198.51.100.1\"", "10.0.0.1"),
        ] {
            assert_eq!(origin(&ours, "10.0.0.1", &[("forwarded", told)]), expected);
        }
    }
}
