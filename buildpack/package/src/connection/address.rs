//! Where a server is, as a peer's gRPC takes it (Fabric `core/chaincode/extcc/extcc_handler.go`).

/// What gRPC looks up itself, in ways of its own: nothing that can be checked from here.
const SCHEMES: [&str; 4] = ["dns:", "passthrough:", "unix:", "unix-abstract:"];

/// Why a peer cannot dial an address. Reads on from the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// No colon, or nothing behind it.
    #[error("has no port")]
    NoPort,
    /// Not a number that a port can have.
    #[error("has no port from 1 to 65535 behind its last colon")]
    Port,
    /// A colon that is not the port's.
    #[error("has a colon in its host: an IPv6 address stands in brackets, as in `[::1]:9999`")]
    Colon,
    /// `https://` and the like.
    #[error("is a URL: leave out what comes before the host, and after the port")]
    Url,
    /// A space, a slash or the like.
    #[error("has a character in its host that no host has")]
    Host,
}

/// Checks an address that is not empty. Without a host, it is the peer's own machine.
pub(super) fn check(address: &str) -> Result<(), AddressFault> {
    if SCHEMES.iter().any(|scheme| address.to_ascii_lowercase().starts_with(scheme)) {
        return Ok(());
    }
    if address.contains("://") {
        return Err(AddressFault::Url);
    }
    let parts = address.rsplit_once(':').filter(|(_, port)| !port.is_empty());
    let (host, port) = parts.ok_or(AddressFault::NoPort)?;
    if port.ends_with(']') {
        return Err(AddressFault::NoPort);
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bracketed.is_none() && host.contains(':') {
        return Err(AddressFault::Colon);
    }
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || r#"/\[]"'{}?#@"#.contains(c);
    if bracketed.unwrap_or(host).contains(is_odd) {
        return Err(AddressFault::Host);
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if is_number => Ok(()),
        _ => Err(AddressFault::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_dials() {
        for address in [
            "asset.example.com:9999",
            "asset_1:1",
            "127.0.0.1:65535",
            "[::1]:9999",
            "[fe80::1%eth0]:9999",
            ":9999",
            "dns:///asset.example.com",
            "DNS:///asset:9999",
            "unix:/run/asset.sock",
            "passthrough:///asset:9999",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_it_cannot() {
        for (address, fault) in [
            ("asset", AddressFault::NoPort),
            ("asset:", AddressFault::NoPort),
            ("[::1]", AddressFault::NoPort),
            ("asset:0", AddressFault::Port),
            ("asset:65536", AddressFault::Port),
            ("asset:+1", AddressFault::Port),
            ("asset:port", AddressFault::Port),
            ("asset:9999 ", AddressFault::Port),
            ("::1:9999", AddressFault::Colon),
            ("a:b:9999", AddressFault::Colon),
            ("https://asset:9999", AddressFault::Url),
            ("grpcs://asset:9999/", AddressFault::Url),
            ("asset\n:9999", AddressFault::Host),
            ("asset/x:9999", AddressFault::Host),
            ("[asset:9999", AddressFault::Host),
        ] {
            assert_eq!(check(address), Err(fault), "{address:?}");
        }
    }
}
