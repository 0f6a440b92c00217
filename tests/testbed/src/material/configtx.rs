//! The channel's genesis: `configtx.yaml` for `configtxgen`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::crypto::ORDERER_MSP_ID;
use super::{Address, Organisation, path_text};

/// The profile that [`configtx`] defines.
pub const PROFILE: &str = "Channel";

/// A channel with one Raft orderer.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// Where clients and peers reach the orderer.
    pub orderer: Address,
    /// The orderer's TLS certificate, by which Raft knows it.
    pub orderer_certificate: PathBuf,
    /// The MSP definition of the orderer's organisation.
    pub orderer_msp: PathBuf,
    /// The organisations on the channel.
    pub members: Vec<Member>,
    /// How long the orderer waits before it cuts a block that is not full.
    pub batch_timeout: Duration,
}

/// An organisation on the channel.
#[derive(Clone, Debug)]
pub struct Member {
    /// The organisation.
    pub organisation: Organisation,
    /// Its MSP definition.
    pub msp: PathBuf,
    /// The peer through which other organisations' peers find its peers.
    pub anchor: Address,
}

/// `configtx.yaml` with the one profile [`PROFILE`].
///
/// Capabilities are those that v2.5 and v3.1 share, so that both raise the same channel.
pub fn configtx(channel: &ChannelConfig) -> Value {
    let members: Vec<Value> = channel.members.iter().map(member).collect();
    json!({
        "Profiles": {
            PROFILE: {
                "Policies": policies(&[]),
                "Capabilities": { "V2_0": true },
                "Orderer": orderer(channel),
                "Application": {
                    "Organizations": members,
                    "Policies": policies(&["LifecycleEndorsement", "Endorsement"]),
                    "Capabilities": { "V2_5": true },
                },
            },
        },
    })
}

fn orderer(channel: &ChannelConfig) -> Value {
    let certificate = path_text(&channel.orderer_certificate);
    let mut organisation = organisation(ORDERER_MSP_ID, &channel.orderer_msp);
    organisation["OrdererEndpoints"] = json!([channel.orderer.to_string()]);
    let mut policies = policies(&[]);
    policies["BlockValidation"] = implicit_meta("ANY Writers");
    json!({
        "OrdererType": "etcdraft",
        "BatchTimeout": format!("{}ms", channel.batch_timeout.as_millis()),
        "BatchSize": {
            "MaxMessageCount": 500,
            // Above the largest message (100 MiB) less its envelope: the end-to-end suites write
            // values of 64 MiB.
            "AbsoluteMaxBytes": "99 MB",
            "PreferredMaxBytes": "2 MB",
        },
        "EtcdRaft": {
            "Consenters": [{
                "Host": channel.orderer.host,
                "Port": channel.orderer.port,
                "ClientTLSCert": certificate,
                "ServerTLSCert": certificate,
            }],
            // A single orderer has nobody to wait for: it leads a second after it joined,
            // not ten as with Fabric's 500 ms.
            "Options": { "TickInterval": "50ms" },
        },
        "Organizations": [organisation],
        "Policies": policies,
        "Capabilities": { "V2_0": true },
    })
}

fn member(member: &Member) -> Value {
    let mut value = organisation(&member.organisation.msp_id, &member.msp);
    value["AnchorPeers"] = json!([{ "Host": member.anchor.host, "Port": member.anchor.port }]);
    value
}

fn organisation(msp_id: &str, msp: &Path) -> Value {
    let signature =
        |role: &str| json!({ "Type": "Signature", "Rule": format!("OR('{msp_id}.{role}')") });
    json!({
        "Name": msp_id,
        "ID": msp_id,
        "MSPDir": path_text(msp),
        "Policies": {
            "Readers": signature("member"),
            "Writers": signature("member"),
            "Admins": signature("admin"),
            "Endorsement": signature("peer"),
        },
    })
}

fn policies(by_majority_endorsement: &[&str]) -> Value {
    let mut policies = Map::new();
    policies.insert("Readers".to_owned(), implicit_meta("ANY Readers"));
    policies.insert("Writers".to_owned(), implicit_meta("ANY Writers"));
    policies.insert("Admins".to_owned(), implicit_meta("MAJORITY Admins"));
    for name in by_majority_endorsement {
        policies.insert((*name).to_owned(), implicit_meta("MAJORITY Endorsement"));
    }
    Value::Object(policies)
}

fn implicit_meta(rule: &str) -> Value {
    json!({ "Type": "ImplicitMeta", "Rule": rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_names_the_orderer_and_every_member() {
        let channel = ChannelConfig {
            orderer: Address::local(7050),
            orderer_certificate: "orderer.crt".into(),
            orderer_msp: "orderer/msp".into(),
            members: ["Org1MSP", "Org2MSP"]
                .map(|msp_id| Member {
                    organisation: Organisation::new(msp_id),
                    msp: format!("{msp_id}/msp").into(),
                    anchor: Address::local(7051),
                })
                .into(),
            batch_timeout: Duration::from_millis(200),
        };
        let profile = &configtx(&channel)["Profiles"][PROFILE];
        assert_eq!(profile["Orderer"]["BatchTimeout"], "200ms");
        assert_eq!(
            profile["Orderer"]["Organizations"][0]["OrdererEndpoints"],
            json!(["127.0.0.1:7050"])
        );
        let members = &profile["Application"]["Organizations"];
        assert_eq!(members[1]["ID"], "Org2MSP");
        assert_eq!(members[1]["MSPDir"], "Org2MSP/msp");
        assert_eq!(members[1]["Policies"]["Admins"]["Rule"], "OR('Org2MSP.admin')");
    }
}
