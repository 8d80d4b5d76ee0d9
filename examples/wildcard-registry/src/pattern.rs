/// What stands for any one part of a name.
const ANY: &str = "*";

/// Whether a group's name is a pattern: one of its parts, between dots, is `*`.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.split('.').any(|part| part == ANY)
}

/// Whether `name` is meant by `pattern`: as many parts, each the same or `*`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('.'), name.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == ANY || wanted == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_part() {
        for (pattern, name, expected) in [
            ("orders.*", "orders.eu", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.eu.1", false),
            ("*.eu", "orders.eu", true),
            ("*", "orders", true),
            ("*.*", "orders.eu", true),
            ("orders.e*", "orders.eu", false),
            ("orders", "orders", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} and {name}");
        }
        assert!(is_pattern("orders.*") && !is_pattern("orders.e*"));
    }
}
