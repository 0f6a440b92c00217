//! Keys and certificates: what cryptogen is asked for, and where it puts it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{NodeMaterial, Organisation, UserMaterial};

/// The orderer's organisation.
pub const ORDERER_DOMAIN: &str = "orderer.example.com";
/// Its MSP ID.
pub const ORDERER_MSP_ID: &str = "OrdererMSP";

const ORDERER_HOST: &str = "orderer";

/// A peer of an organisation, and the names that its TLS certificate must be good for.
#[derive(Clone, Debug)]
pub struct PeerHost {
    /// The organisation.
    pub organisation: Organisation,
    /// Its name within that: `peer0`.
    pub name: String,
    /// Host names and IP addresses, beside `<name>.<domain>` and `<name>`.
    pub alternative_names: Vec<String>,
}

/// `crypto-config.yaml`: one orderer, and for each organisation its peers, and one user beside the
/// admin.
pub fn crypto_config(orderer_names: &[String], peers: &[PeerHost]) -> Value {
    let of = |organisation: &Organisation| -> Vec<Value> {
        let its = peers.iter().filter(|peer| peer.organisation == *organisation);
        its.map(|peer| json!({ "Hostname": peer.name, "SANS": peer.alternative_names })).collect()
    };
    let first = |(number, peer): &(usize, &PeerHost)| {
        !peers[..*number].iter().any(|earlier| earlier.organisation == peer.organisation)
    };
    let peer_orgs: Vec<Value> = peers
        .iter()
        .enumerate()
        .filter(first)
        .map(|(_, PeerHost { organisation, .. })| {
            json!({
                "Name": organisation.name(),
                "Domain": organisation.domain(),
                "EnableNodeOUs": true,
                "Specs": of(organisation),
                "Users": { "Count": 1 },
            })
        })
        .collect();
    json!({
        "OrdererOrgs": [{
            "Name": "orderer",
            "Domain": ORDERER_DOMAIN,
            "EnableNodeOUs": true,
            "Specs": [{ "Hostname": ORDERER_HOST, "SANS": orderer_names }],
        }],
        "PeerOrgs": peer_orgs,
    })
}

/// The directory tree that `cryptogen generate` writes (`cmd/cryptogen/main.go`).
#[derive(Clone, Debug)]
pub struct CryptoTree {
    root: PathBuf,
}

impl CryptoTree {
    /// The tree at `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The tree's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn orderer_org(&self) -> PathBuf {
        self.root.join("ordererOrganizations").join(ORDERER_DOMAIN)
    }

    fn peer_org(&self, organisation: &Organisation) -> PathBuf {
        self.root.join("peerOrganizations").join(organisation.domain())
    }

    /// The MSP definition of the orderer's organisation.
    pub fn orderer_org_msp(&self) -> PathBuf {
        self.orderer_org().join("msp")
    }

    /// The MSP definition of a peer's organisation.
    pub fn org_msp(&self, organisation: &Organisation) -> PathBuf {
        self.peer_org(organisation).join("msp")
    }

    /// The orderer's own material.
    pub fn orderer(&self) -> NodeMaterial {
        let name = format!("{ORDERER_HOST}.{ORDERER_DOMAIN}");
        node(&self.orderer_org().join("orderers").join(name))
    }

    /// The material of the organisation's peer of this name.
    pub fn peer(&self, organisation: &Organisation, name: &str) -> NodeMaterial {
        let name = format!("{name}.{}", organisation.domain());
        node(&self.peer_org(organisation).join("peers").join(name))
    }

    /// The organisation's administrator.
    pub fn admin(&self, organisation: &Organisation) -> UserMaterial {
        self.user_named(organisation, "Admin")
    }

    /// An ordinary member of the organisation.
    pub fn user(&self, organisation: &Organisation) -> UserMaterial {
        self.user_named(organisation, "User1")
    }

    fn user_named(&self, organisation: &Organisation, user: &str) -> UserMaterial {
        let name = format!("{user}@{}", organisation.domain());
        UserMaterial {
            msp: self.peer_org(organisation).join("users").join(&name).join("msp"),
            certificate: format!("{name}-cert.pem"),
        }
    }
}

fn node(dir: &Path) -> NodeMaterial {
    NodeMaterial { msp: dir.join("msp"), tls: dir.join("tls") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organisation_gets_its_peers_with_their_names() {
        let peers = [("Org1MSP", "peer0"), ("Org2MSP", "peer0"), ("Org1MSP", "peer1")];
        let peers = peers.map(|(msp_id, name)| PeerHost {
            organisation: Organisation::new(msp_id),
            name: name.to_owned(),
            alternative_names: vec![format!("peer.{msp_id}.svc"), "127.0.0.1".to_owned()],
        });
        let config = crypto_config(&["127.0.0.1".to_owned()], &peers);
        assert_eq!(config["PeerOrgs"].as_array().unwrap().len(), 2);
        assert_eq!(config["PeerOrgs"][0]["Specs"][1]["Hostname"], "peer1");
        assert_eq!(config["PeerOrgs"][1]["Domain"], "org2.example.com");
        assert_eq!(
            config["PeerOrgs"][1]["Specs"][0]["SANS"],
            json!(["peer.Org2MSP.svc", "127.0.0.1"])
        );
    }
}
