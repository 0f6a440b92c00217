//! By which names the page is asked for.
//!
//! A page of somebody else's can have a browser take its own name for this address (DNS rebinding), and
//! would then be let read what it asks here. It cannot have the browser leave that name out: so who
//! does not ask by a name that is known, or by an address, gets nothing.

use std::net::IpAddr;

use axum::http::HeaderValue;
use axum::http::uri::Authority;

/// What those are told who ask otherwise.
pub(super) const STRANGER: &str = "this page is not served by that name; name it in page.hosts of \
                                   the operator's file, or ask by address or as localhost\n";

/// The names that are known.
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// These besides `localhost`.
    pub(super) fn new(named: &[String]) -> Self {
        Self(named.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether who asks for this host has not been led here by another name.
    pub(super) fn know(&self, host: Option<&HeaderValue>) -> bool {
        let authority = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let Some(authority) = authority else { return false };
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = address.unwrap_or(&name).parse::<IpAddr>().is_ok();
        is_address || name == "localhost" || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(hosts: &Hosts, host: &str) -> bool {
        hosts.know(Some(&HeaderValue::from_str(host).unwrap()))
    }

    #[test]
    fn an_address_localhost_and_what_the_operator_names_are_known() {
        let hosts = Hosts::new(&["Selvedge.Example.org".to_owned()]);
        for host in [
            "127.0.0.1:8088",
            "10.1.2.3",
            "[::1]:8088",
            "localhost",
            "LOCALHOST:1",
            "selvedge.example.org",
            "selvedge.example.org.:443",
        ] {
            assert!(knows(&hosts, host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8088",
            "x.selvedge.example.org",
            "",
            "127.0.0.1@evil.example",
        ] {
            assert!(!knows(&hosts, host), "{host}");
        }
        assert!(!hosts.know(None));
    }
}
