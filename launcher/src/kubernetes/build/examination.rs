//! What builds need, looked at: the registry, as the launcher sees it.

use std::net::IpAddr;

use selvedge_buildpack::image::Tag;
use selvedge_registry::Registry;

use super::builds::Builds;
use super::said::Said;
use super::served::Served;
use crate::error_chain::one_line;
use crate::examination::{Finding, bad, good, unseen};

/// A tag that no build has.
const NOBODYS: &str = "selvedge-doctor";

impl Builds {
    /// Asks the registry, with the credentials that the Secret has now.
    pub(crate) async fn examine(&self) -> Vec<Finding> {
        let said = match self.said() {
            Ok(said) => said,
            Err(error) => {
                let way_out = "name it in the operator's file (registry.address)";
                return vec![bad("registry", one_line(&error), way_out)];
            }
        };
        let about = format!("registry {}", said.repository.registry());
        if let Some(served) = self.served_as(&said.repository.to_string()) {
            return self.examine_served(served, &said, &about).await;
        }
        let asked = async {
            let registry = self.registry(&said).await.map_err(|error| one_line(&error))?;
            ask(&registry).await
        };
        let from_here = match asked.await {
            Ok(()) => good(&about, "it answers the launcher"),
            Err(reason) => bad(
                &about,
                reason,
                "see that it can be reached from the peer's pod, and that registry.secret names a \
                 Secret with its credentials (registry.plainHttp, if it speaks no TLS)",
            ),
        };
        let from_nodes = unseen(
            format!("{about} from the nodes"),
            "only a pod that is started tells whether a node can pull from it",
            "install any chaincode: what a node says is in the peer's log and in `selvedge status`",
        );
        vec![from_here, from_nodes]
    }

    /// The registry that is served here, by the way that nodes take: to the port of a node, and by the
    /// Service back to this pod. Who answers otherwise has another password.
    async fn examine_served(&self, served: &Served, said: &Said, about: &str) -> Vec<Finding> {
        let registry = said.repository.registry();
        let reached = as_from_here(registry, self.ground.pod.node_ip);
        let asked = async {
            let registry = served.as_nodes_do(&reached).map_err(|error| one_line(&error))?;
            ask(&registry).await
        };
        let from_here = match asked.await {
            Ok(()) => good(about, format!("this launcher serves it, and {reached} leads to it")),
            Err(reason) => bad(
                about,
                reason,
                format!(
                    "see that a Service of type NodePort, or what {registry} is otherwise, leads to the \
                     port registry.serve.port of this peer's pod, and no other peer's (docs/registry.md)"
                ),
            ),
        };
        let from_nodes = unseen(
            format!("{about} from the nodes"),
            "only a node can tell that it speaks plain HTTP with this name",
            "with containerd and a name on `localhost` there is nothing to do; else give each node the \
             file of docs/registry.md",
        );
        vec![from_here, from_nodes]
    }
}

/// Whether it answers, which it does for what it has not, too.
async fn ask(registry: &Registry) -> Result<(), String> {
    let tag: Tag = NOBODYS.parse().map_err(|_| "no tag".to_owned())?;
    registry.find(&tag).await.map(drop).map_err(|error| one_line(&error))
}

/// How a pod reaches what its node has on loopback: by the node's address.
fn as_from_here(registry: &str, node: Option<IpAddr>) -> String {
    let (host, port) = registry.rsplit_once(':').unwrap_or((registry, ""));
    let is_loopback = host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match node {
        Some(IpAddr::V4(node)) if is_loopback => format!("{node}:{port}"),
        Some(IpAddr::V6(node)) if is_loopback => format!("[{node}]:{port}"),
        _ => registry.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_port_is_reached_by_the_nodes_address() {
        let (four, six) = ("10.0.0.1".parse().ok(), "fd00::1".parse().ok());
        for (registry, node, expected) in [
            ("localhost:30500", four, "10.0.0.1:30500"),
            ("127.0.0.1:30500", six, "[fd00::1]:30500"),
            ("[::1]:30500", four, "10.0.0.1:30500"),
            ("registry.example.com:5000", four, "registry.example.com:5000"),
            ("localhost:30500", None, "localhost:30500"),
        ] {
            assert_eq!(as_from_here(registry, node), expected);
        }
    }
}
