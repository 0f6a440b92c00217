//! The Deployment that keeps a chaincode's pods running on their peer's node.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Affinity as PodAffinity, Container, HostAlias, NodeAffinity, NodeSelector,
    NodeSelectorRequirement, NodeSelectorTerm, PodDNSConfig, PodSpec, PodTemplateSpec,
    PreferredSchedulingTerm, ResourceRequirements, SecretVolumeSource, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use selvedge_buildpack::image::{CHAINCODE_GROUP_ID, CHAINCODE_USER_ID};

use super::{Affinity, Blueprint, CONTAINER, GATE, PROXY_PORT};
use crate::container::{empty, mount, pull_secrets, variable};
use crate::identity::{CREDENTIALS, GENERATION};
use crate::launch::DIRECTORY;
use crate::restricted;

/// Where a chaincode may write.
const TMP: &str = "/tmp";

/// What a chaincode gets between SIGTERM and SIGKILL, in seconds: its transactions
/// were given their time by the proxy before.
const GRACE: i64 = 2;

impl Blueprint<'_> {
    /// The Deployment; its pods find their proxy at the stable address.
    pub fn deployment(&self, owner: &OwnerReference, address: IpAddr) -> Deployment {
        Deployment {
            metadata: self.metadata(Some(owner)),
            spec: Some(DeploymentSpec {
                replicas: Some(1),
                // What an earlier run's pods had is of no use to anybody.
                revision_history_limit: Some(0),
                selector: LabelSelector {
                    match_labels: Some(self.identity.selector()),
                    ..LabelSelector::default()
                },
                // The pods of an earlier run have nobody to talk to any more: all of
                // them may go, and none is waited for.
                strategy: Some(DeploymentStrategy {
                    type_: Some("RollingUpdate".into()),
                    rolling_update: Some(RollingUpdateDeployment {
                        max_surge: Some(IntOrString::String("100%".into())),
                        max_unavailable: Some(IntOrString::String("100%".into())),
                    }),
                }),
                template: self.template(address),
                ..DeploymentSpec::default()
            }),
            ..Deployment::default()
        }
    }

    fn template(&self, address: IpAddr) -> PodTemplateSpec {
        let mut annotations = self.identity.annotations();
        annotations.insert(CREDENTIALS.into(), self.credentials.into());
        annotations.insert(GENERATION.into(), self.generation.to_string());
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(self.identity.labels()),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            }),
            spec: Some(self.pod(address)),
        }
    }

    fn pod(&self, address: IpAddr) -> PodSpec {
        PodSpec {
            affinity: affinity(self.shape.affinity, &self.peer.node),
            tolerations: Some(self.peer.tolerations.clone()).filter(|all| !all.is_empty()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            host_aliases: Some(vec![self.host_alias(address)]),
            dns_policy: Some("None".into()),
            dns_config: Some(no_names()),
            termination_grace_period_seconds: Some(GRACE),
            security_context: Some(restricted::pod(
                CHAINCODE_USER_ID.into(),
                CHAINCODE_GROUP_ID.into(),
            )),
            image_pull_secrets: pull_secrets(&self.shape.pull_secrets),
            init_containers: Some(vec![self.gate(address)]),
            containers: vec![self.container()],
            volumes: Some(vec![
                Volume {
                    name: "credentials".into(),
                    secret: Some(SecretVolumeSource {
                        secret_name: Some(self.identity.name.clone()),
                        default_mode: Some(0o440),
                        ..SecretVolumeSource::default()
                    }),
                    ..Volume::default()
                },
                empty("tmp", &self.shape.tmp),
            ]),
            ..PodSpec::default()
        }
    }

    /// The stable address for the proxy's name: the only name that a pod needs, and knows.
    fn host_alias(&self, address: IpAddr) -> HostAlias {
        HostAlias { ip: address.to_string(), hostnames: Some(vec![self.identity.host()]) }
    }

    /// Ends when the proxy can be reached from the pod: only then is the chaincode started.
    /// It is told the address, not the name: a C library asks the network for names first.
    fn gate(&self, address: IpAddr) -> Container {
        let proxy = SocketAddr::new(address, PROXY_PORT).to_string();
        Container {
            name: GATE.into(),
            image: Some(self.shape.launcher_image.clone()),
            args: Some(vec!["await-proxy".into(), proxy]),
            resources: Some(self.resources()),
            security_context: Some(restricted::container()),
            ..Container::default()
        }
    }

    fn resources(&self) -> ResourceRequirements {
        ResourceRequirements {
            requests: some(&self.shape.requests),
            limits: some(&self.shape.limits),
            ..ResourceRequirements::default()
        }
    }

    fn container(&self) -> Container {
        let writable = [("HOME", TMP), ("TMPDIR", TMP)].map(|(name, value)| variable(name, value));
        let planned = self.plan.environment.iter().map(|(name, value)| variable(name, value));
        Container {
            name: CONTAINER.into(),
            image: Some(self.image.into()),
            // A digest names the same bytes for ever.
            image_pull_policy: Some("IfNotPresent".into()),
            args: Some(self.plan.arguments.clone()),
            env: Some(planned.chain(writable).collect()),
            resources: Some(self.resources()),
            security_context: Some(restricted::container()),
            // The last lines of a chaincode that fails come with its status, at once.
            termination_message_policy: Some("FallbackToLogsOnError".into()),
            volume_mounts: Some(vec![
                mount("credentials", DIRECTORY, true),
                mount("tmp", TMP, false),
            ]),
            ..Container::default()
        }
    }
}

/// No server of names: the policy lets none be asked. Go's gRPC asks for a record beside the
/// address all the same (`internal/resolver/dns/dns_resolver.go`, `lookupTXT`), and would wait
/// out every server's silence before it dials; a port of its own where nobody listens refuses at
/// once.
fn no_names() -> PodDNSConfig {
    PodDNSConfig {
        nameservers: Some(vec![Ipv4Addr::LOCALHOST.to_string()]),
        ..PodDNSConfig::default()
    }
}

/// The binding to a node. By its name, not a label: a label may be missing or shared.
fn affinity(affinity: Affinity, node: &str) -> Option<PodAffinity> {
    let term = NodeSelectorTerm {
        match_fields: Some(vec![NodeSelectorRequirement {
            key: "metadata.name".into(),
            operator: "In".into(),
            values: Some(vec![node.into()]),
        }]),
        ..NodeSelectorTerm::default()
    };
    let node_affinity = match affinity {
        Affinity::None => return None,
        Affinity::Required => NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                node_selector_terms: vec![term],
            }),
            ..NodeAffinity::default()
        },
        Affinity::Preferred => NodeAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                PreferredSchedulingTerm { weight: 100, preference: term },
            ]),
            ..NodeAffinity::default()
        },
    };
    Some(PodAffinity { node_affinity: Some(node_affinity), ..PodAffinity::default() })
}

fn some(quantities: &BTreeMap<String, Quantity>) -> Option<BTreeMap<String, Quantity>> {
    (!quantities.is_empty()).then(|| quantities.clone())
}
