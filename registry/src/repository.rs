//! The name of the one repository that holds the images of chaincodes.

use std::fmt;
use std::str::FromStr;

/// What the repository is called below the prefix.
const LAST: &str = "chaincode";

/// `HOST[:PORT]/PREFIX/chaincode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    registry: String,
    name: String,
}

/// Why a text names no place for images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say all")]
pub enum InvalidRepository {
    #[error("expected HOST[:PORT]/PREFIX without a scheme")]
    Scheme,
    #[error("expected HOST[:PORT]/PREFIX, such as registry.example.com/selvedge")]
    NoPrefix,
    #[error("`{0}` is not a registry's host and port")]
    Host(String),
    #[error("`{0}` in the prefix: a name there is of a-z and 0-9, parted by `.`, `_` or `-`")]
    Component(String),
}

impl Repository {
    /// `HOST[:PORT]`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// `PREFIX/chaincode`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Repository {
    type Err = InvalidRepository;

    fn from_str(text: &str) -> Result<Self, InvalidRepository> {
        if text.contains("://") {
            return Err(InvalidRepository::Scheme);
        }
        let (host, prefix) = text.split_once('/').ok_or(InvalidRepository::NoPrefix)?;
        if !is_host(host) {
            return Err(InvalidRepository::Host(host.to_owned()));
        }
        let prefix = prefix.trim_end_matches('/');
        if let Some(bad) = prefix.split('/').find(|component| !is_component(component)) {
            return Err(InvalidRepository::Component(bad.to_owned()));
        }
        Ok(Self { registry: host.to_owned(), name: format!("{prefix}/{LAST}") })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.registry, self.name)
    }
}

/// A name or an IPv4 address, or an IPv6 address in brackets; with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let named = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = address.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    (named || address) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// One part of a repository's name, as the distribution specification allows it:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|byte| word(*byte))
        && bytes.last().is_some_and(|byte| word(*byte));
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators.filter(|separator| !separator.is_empty()).all(|separator| {
        matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_images() {
        for (text, registry, name) in [
            ("registry.example.com/selvedge", "registry.example.com", "selvedge/chaincode"),
            ("127.0.0.1:5000/a/b_c/d--e/", "127.0.0.1:5000", "a/b_c/d--e/chaincode"),
            ("[::1]:5000/a", "[::1]:5000", "a/chaincode"),
            ("[::1]/a", "[::1]", "a/chaincode"),
        ] {
            let repository: Repository = text.parse().unwrap();
            assert_eq!((repository.registry(), repository.name()), (registry, name));
            assert_eq!(repository.to_string(), format!("{registry}/{name}"));
        }
    }

    #[test]
    fn what_names_no_place() {
        for (text, reason) in [
            ("https://registry.example.com/a", "without a scheme"),
            ("registry.example.com", "such as"),
            ("/a", "`` is not a registry's host"),
            ("host:port/a", "`host:port` is not"),
            ("host/", "`` in the prefix"),
            ("host/Upper", "`Upper` in the prefix"),
            ("host/a//b", "`` in the prefix"),
            ("host/a:tag", "`a:tag` in the prefix"),
            ("host/a@sha256", "in the prefix"),
            ("host/-a", "in the prefix"),
            ("host/a._b", "in the prefix"),
            ("host/../a", "in the prefix"),
        ] {
            let error = text.parse::<Repository>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
