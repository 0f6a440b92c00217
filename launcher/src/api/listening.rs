//! How a chaincode is linked, in the API's words: what a build says, a launch is told again.

use selvedge_buildpack::shim::{Security, Server, ServerPort, Shim, UnfitPort};
use selvedge_proto::launcher::Listening;

/// What the builder keeps of it.
pub(super) fn told(shim: Shim) -> Option<Listening> {
    shim.server().map(|Server { security, port }| Listening {
        tls: security == Security::Tls,
        port: port.map(|port| port.get().into()),
    })
}

/// What the builder has kept.
pub(super) fn kept(listening: Option<Listening>) -> Result<Shim, UnfitPort> {
    let Some(Listening { tls, port }) = listening else { return Ok(Shim::Dials) };
    let security = if tls { Security::Tls } else { Security::Plain };
    let port = port.map(|number| ServerPort::new(number.into())).transpose()?;
    Ok(Shim::Listens(Server { security, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_kept() {
        let port = ServerPort::new(9998).unwrap();
        for shim in [
            Shim::Dials,
            Shim::listens(Security::Tls),
            Shim::listens(Security::Plain),
            Shim::Listens(Server { security: Security::Tls, port: Some(port) }),
        ] {
            assert_eq!(kept(told(shim)), Ok(shim));
        }
    }

    #[test]
    fn a_port_that_is_none_is_refused() {
        for number in [0, 80, 65536] {
            let told = kept(Some(Listening { tls: true, port: Some(number) })).unwrap_err();
            assert!(told.to_string().starts_with(&format!("{number} is no port")), "{told}");
        }
    }
}
