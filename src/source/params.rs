//! The parameters of a request, as far as they are handed on to a source.

use std::rc::Rc;

use crate::http::percent::Decoded;
use crate::http::target::pairs;

/// Pairs of a query as they were sent, `a=1&b=2`; empty for none. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params(Rc<str>);

impl Default for Params {
    fn default() -> Self {
        Self("".into())
    }
}

impl Params {
    /// The query of a request that was accepted, so that every byte of it may be sent on.
    #[must_use]
    pub fn new(query: &str) -> Self {
        Self(query.into())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they were sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The values of one key, in their order.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Decoded<'a>> {
        pairs(&self.0).filter(move |(name, _)| name == key).map(|(_, value)| value)
    }

    /// Those of one key, as they were sent.
    #[must_use]
    pub fn only(&self, key: &str) -> Self {
        let has_key = |pair: &&str| pairs(pair).any(|(name, _)| name == key);
        Self(self.0.split('&').filter(has_key).collect::<Vec<_>>().join("&").into())
    }

    /// The first value of `key`, and the parameters without that pair: further ones of the same key
    /// are for whoever comes next.
    #[must_use]
    pub fn take_first(query: &str, key: &str) -> (Option<String>, Self) {
        let mut value = None;
        let mut rest = String::with_capacity(query.len());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let found = pairs(pair).find(|(name, _)| name == key).map(|(_, value)| value);
            match found {
                Some(first) if value.is_none() => value = Some(first.to_string()),
                _ => {
                    rest.push_str(if rest.is_empty() { "" } else { "&" });
                    rest.push_str(pair);
                }
            }
        }
        (value, Self(rest.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_a_key_is_taken() {
        let cases = [
            ("", None, ""),
            ("module=a", Some("a"), ""),
            ("x=1&module=a&y", Some("a"), "x=1&y"),
            ("module=a&module=b&module=c", Some("a"), "module=b&module=c"),
            ("m%6Fdule=a%20b+c&target=http%3A%2F%2Fx", Some("a b c"), "target=http%3A%2F%2Fx"),
            ("module", Some(""), ""),
            ("&&module=&&x", Some(""), "x"),
            ("modules=a", None, "modules=a"),
        ];
        for (query, value, rest) in cases {
            let (got, left) = Params::take_first(query, "module");
            assert_eq!((got.as_deref(), left.as_str()), (value, rest), "{query}");
        }
    }

    #[test]
    fn values_are_decoded_in_their_order() {
        let params = Params::new("args=a&x=1&args=b%26c&args=");
        let values: Vec<String> = params.values("args").map(|value| value.to_string()).collect();
        assert_eq!(values, ["a", "b&c", ""]);
        assert!(!params.is_empty() && Params::default().is_empty());
        assert_eq!(params.only("args").as_str(), "args=a&args=b%26c&args=");
        assert!(params.only("arg").is_empty());
    }
}
