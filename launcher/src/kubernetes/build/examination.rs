//! What builds need, looked at: the registry, as the launcher sees it.

use selvedge_buildpack::image::Tag;

use super::builds::Builds;
use super::said::Said;
use crate::error_chain::one_line;
use crate::examination::{Finding, bad, good, unseen};

/// A tag that no build has.
const NOBODYS: &str = "selvedge-doctor";

impl Builds {
    /// Asks the registry, with the credentials that the Secret has now.
    pub(crate) async fn examine(&self) -> Vec<Finding> {
        let said = match Said::of(&self.configuration.now()) {
            Ok(said) => said,
            Err(error) => {
                let way_out = "name it in the operator's file (registry.address)";
                return vec![bad("registry", one_line(&error), way_out)];
            }
        };
        let about = format!("registry {}", said.repository.registry());
        let asked = async {
            let registry = self.registry(&said).await.map_err(|error| one_line(&error))?;
            let tag: Tag = NOBODYS.parse().map_err(|_| "no tag".to_owned())?;
            registry.find(&tag).await.map_err(|error| one_line(&error))
        };
        let from_here = match asked.await {
            Ok(_) => good(&about, "it answers the launcher"),
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
}
