//! The Deployment that keeps a chaincode's pods running on their peer's node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, HostAlias, LocalObjectReference, PodDNSConfig, PodSpec,
    PodTemplateSpec, SecretVolumeSource, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use selvedge_buildpack::image::{CHAINCODE_GROUP_ID, CHAINCODE_USER_ID, ImageCommand};
use selvedge_config::Variable;
use serde_json::Value;

use super::keeper::{self, Meeting, Orders};
use super::placement::affinity;
use super::{
    Blueprint, CONTAINER, CREDENTIALS_VOLUME, GATE, KEEPER_PORT, PORT_NAME, PROXY_PORT, file_name,
    files,
};
use crate::baseline::{self, Lifted, Own};
use crate::container::{empty, mount, pull_secrets, variable};
use crate::identity::{CREDENTIALS, GENERATION, LIFTED};
use crate::launch::DIRECTORY;
use crate::overlay::{self, Overlay};
use crate::restricted;

/// Where a chaincode may write.
const TMP: &str = "/tmp";

/// A Deployment, and what the operator's overlay lifted of its pods' security.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The object.
    pub deployment: Deployment,
    /// What was lifted, as it is allowed to be.
    pub lifted: Vec<Lifted>,
}

/// Why the operator's overlay makes no pods.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It is no overlay for a pod's template.
    #[error("chaincode.podTemplate is not right: {0}")]
    Overlay(#[from] overlay::Faults),
    /// No keeper can be told when the chaincode is to run.
    #[error(
        "chaincode.execution is `function`, and no keeper can start the chaincode when it is called: \
         {0}; or say `execution: service`"
    )]
    Unkept(&'static str),
    /// It lifts what it must not.
    #[error("chaincode.podTemplate is refused: {0}")]
    Refused(#[from] baseline::Refusals),
}

/// What a keeper starts in a pod, and what it may be ordered.
#[derive(Clone, Copy)]
struct Kept<'a> {
    image: &'a ImageCommand,
    orders: Orders,
}

/// Why no keeper can, and what to do about it.
const UNKNOWN: &str = "what its image starts is not known, since its registry could not be asked when \
                       the package was installed; install it again";
const STARTED_OTHERWISE: &str = "chaincode.podTemplate gives its container another image or command, or \
                                 its pod another gate; leave them out";
const WITHOUT_ADDRESS: &str = "by chaincode.podTemplate its pods have no address of their own; leave \
                               `hostNetwork` out";
const PORT_TAKEN: &str = "its image listens at port 9998, where a keeper is told when to start it; let \
                          it listen at another one";

impl Blueprint<'_> {
    /// The Deployment; its pods find their proxy at the stable address.
    pub fn deployment(&self, owner: &OwnerReference, address: IpAddr) -> Result<Deployed, Unfit> {
        let (template, lifted) = self.overlaid_template(address)?;
        let deployment = Deployment {
            metadata: self.metadata(Some(owner)),
            spec: Some(DeploymentSpec {
                replicas: Some(self.pods.into()),
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
                template,
                ..DeploymentSpec::default()
            }),
            ..Deployment::default()
        };
        Ok(Deployed { deployment, lifted })
    }

    /// The template with the operator's overlay, and what that lifts. A keeper that the overlay leaves
    /// no place for is left out.
    fn overlaid_template(&self, address: IpAddr) -> Result<(PodTemplateSpec, Vec<Lifted>), Unfit> {
        let kept = self.command.map(|image| Kept { image, orders: self.orders() });
        let template = self.template(address, kept);
        let overlaid = self.overlaid(template.clone())?;
        let stays = keeper::stays(&template, &overlaid.0);
        if self.settings.function().is_some() {
            return match self.unkept(&overlaid.0, stays) {
                Some(reason) => Err(Unfit::Unkept(reason)),
                None => Ok(overlaid),
            };
        }
        let Some(kept) = kept else { return Ok(overlaid) };
        if !stays {
            return self.overlaid(self.template(address, None));
        }
        if is_on_node(&overlaid.0) {
            // There all pods share a port, and no policy says who reaches it.
            let kept = Kept { orders: Orders::None, ..kept };
            return self.overlaid(self.template(address, Some(kept)));
        }
        Ok(overlaid)
    }

    /// What a keeper may be ordered.
    fn orders(&self) -> Orders {
        match self.settings.function() {
            Some(function) => Orders::Start(function),
            None if self.keeper_port().is_none() => Orders::None,
            None => Orders::Kill,
        }
    }

    /// Why no keeper can be told when its chaincode is to run, if so.
    fn unkept(&self, overlaid: &PodTemplateSpec, stays: bool) -> Option<&'static str> {
        if self.command.is_none() {
            Some(UNKNOWN)
        } else if !stays {
            Some(STARTED_OTHERWISE)
        } else if self.plan.port == Some(KEEPER_PORT) {
            Some(PORT_TAKEN)
        } else {
            is_on_node(overlaid).then_some(WITHOUT_ADDRESS)
        }
    }

    /// The template with the operator's overlay, and what that lifts, which the pods say.
    fn overlaid(&self, template: PodTemplateSpec) -> Result<(PodTemplateSpec, Vec<Lifted>), Unfit> {
        if self.settings.pod_template.is_empty() {
            return Ok((template, Vec::new()));
        }
        let overlay = Overlay::new(&Value::Object(self.settings.pod_template.clone()))?;
        let mut overlaid = overlay.over(&template)?;
        let host = self.identity.host();
        let planned: Vec<&str> = self.planned().map(|(name, _)| name).collect();
        let (labels, annotations) = (self.identity.labels(), self.identity.annotations());
        let own = Own {
            container: CONTAINER,
            gate: GATE,
            credentials: CREDENTIALS_VOLUME,
            keeper: keeper::VOLUME,
            host: &host,
            environment: &planned,
            labels: &labels.keys().map(String::as_str).collect::<Vec<_>>(),
            annotations: &annotations
                .keys()
                .map(String::as_str)
                .chain([CREDENTIALS, GENERATION])
                .collect::<Vec<_>>(),
        };
        let lifted = baseline::lifted(&template, &overlaid, &own, &self.settings.allow)?;
        if !lifted.is_empty() {
            let words: Vec<String> = lifted.iter().map(ToString::to_string).collect();
            let metadata = overlaid.metadata.get_or_insert_default();
            let annotations = metadata.annotations.get_or_insert_default();
            annotations.insert(LIFTED.into(), words.join(", "));
        }
        Ok((overlaid, lifted))
    }

    fn template(&self, address: IpAddr, kept: Option<Kept<'_>>) -> PodTemplateSpec {
        let (mut labels, mut annotations) =
            (self.settings.labels.clone(), self.settings.annotations.clone());
        labels.extend(self.identity.labels());
        annotations.extend(self.identity.annotations());
        annotations.insert(CREDENTIALS.into(), self.credentials.into());
        annotations.insert(GENERATION.into(), self.generation.to_string());
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(labels),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            }),
            spec: Some(self.pod(address, kept)),
        }
    }

    fn pod(&self, address: IpAddr, kept: Option<Kept<'_>>) -> PodSpec {
        let said = self.settings;
        let credentials = Volume {
            name: CREDENTIALS_VOLUME.into(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(self.identity.name.clone()),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        };
        let volumes = [credentials, empty("tmp", &said.tmp.0)]
            .into_iter()
            .chain(kept.map(|_| keeper::volume()))
            .chain(files::volume(&said.files));
        PodSpec {
            affinity: affinity(said.affinity.as_ref(), said.peer_node, &self.peer.node),
            automount_service_account_token: Some(false),
            containers: vec![self.container(address, kept)],
            dns_config: Some(no_names()),
            dns_policy: Some("None".into()),
            enable_service_links: Some(false),
            host_aliases: Some(
                [self.host_alias(address)].into_iter().chain(said.host_aliases.clone()).collect(),
            ),
            image_pull_secrets: self.pull_secrets(),
            init_containers: Some(vec![self.gate(address, kept)]),
            node_selector: some(said.node_selector.clone()),
            priority_class_name: said.priority_class_name.clone(),
            runtime_class_name: said.runtime_class_name.clone(),
            security_context: Some(restricted::pod(
                CHAINCODE_USER_ID.into(),
                CHAINCODE_GROUP_ID.into(),
            )),
            service_account_name: said.service_account_name.clone(),
            termination_grace_period_seconds: Some(self.grace(kept.is_some())),
            tolerations: some([&self.peer.tolerations[..], &said.tolerations].concat()),
            topology_spread_constraints: self.spread(),
            volumes: Some(volumes.collect()),
            ..PodSpec::default()
        }
    }

    /// What transactions in flight get when the pod is to go.
    fn drain(&self) -> Duration {
        self.settings.timeouts.drain.duration()
    }

    /// How long the pod has to end, in whole seconds. Without a keeper nothing waits there for
    /// transactions.
    fn grace(&self, is_kept: bool) -> i64 {
        let grace = if is_kept { keeper::grace(self.drain()) } else { keeper::GRACE };
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        i64::try_from(seconds).unwrap_or(i64::MAX)
    }

    /// The Secrets that the images are pulled with, each once.
    fn pull_secrets(&self) -> Option<Vec<LocalObjectReference>> {
        let more = self.settings.image_pull_secrets.iter().map(|secret| &secret.name);
        let mut names: Vec<String> = Vec::new();
        let own = self.pull_secret_name();
        for name in own.iter().chain(self.pull_secrets).chain(more) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        pull_secrets(&names)
    }

    /// A constraint that says of no pods counts the chaincode's own.
    fn spread(&self) -> Option<Vec<TopologySpreadConstraint>> {
        let mut constraints = self.settings.topology_spread_constraints.clone();
        for constraint in &mut constraints {
            constraint.label_selector.get_or_insert_with(|| LabelSelector {
                match_labels: Some(self.identity.selector()),
                ..LabelSelector::default()
            });
        }
        some(constraints)
    }

    /// The stable address for the proxy's name: the only name that a pod needs, and knows.
    fn host_alias(&self, address: IpAddr) -> HostAlias {
        HostAlias { ip: address.to_string(), hostnames: Some(vec![self.identity.host()]) }
    }

    /// Leaves the keeper, and ends when the proxy can be reached from the pod: only then is the
    /// chaincode started. It is told the address, not the name: a C library asks the network for
    /// names first.
    fn gate(&self, address: IpAddr, kept: Option<Kept<'_>>) -> Container {
        let proxy = SocketAddr::new(address, PROXY_PORT).to_string();
        let arguments = ["await-proxy".into(), proxy].into_iter();
        Container {
            name: GATE.into(),
            image: Some(self.launcher_image.into()),
            args: Some(arguments.chain(kept.map(|_| keeper::order())).collect()),
            resources: Some(self.settings.resources.clone()),
            security_context: Some(restricted::container()),
            volume_mounts: kept.map(|_| vec![keeper::left()]),
            ..Container::default()
        }
    }

    /// The variables that make the chaincode a replica, and say where it may write.
    fn planned(&self) -> impl Iterator<Item = (&str, &str)> {
        let planned = self.plan.environment.iter();
        let planned = planned.map(|(name, value)| (name.as_str(), value.as_str()));
        planned.chain([("HOME", TMP), ("TMPDIR", TMP)])
    }

    /// Credentials that are also wanted elsewhere: each by itself, as an image may have files of its
    /// own there.
    fn mounts_elsewhere(&self) -> impl Iterator<Item = VolumeMount> {
        let paths = self.plan.files.iter().map(|(path, _)| path);
        paths.filter(|path| !path.starts_with(DIRECTORY)).map(|path| VolumeMount {
            sub_path: Some(file_name(path).to_owned()),
            ..mount(CREDENTIALS_VOLUME, path, true)
        })
    }

    fn container(&self, address: IpAddr, kept: Option<Kept<'_>>) -> Container {
        let said = self.settings;
        let planned = self.planned().map(|(name, value)| variable(name, value));
        let more = said.environment.iter().map(|(name, holds)| match holds {
            Variable::Value(value) => variable(name, value),
            Variable::From(source) => EnvVar {
                name: name.clone(),
                value_from: Some(source.as_ref().clone()),
                ..EnvVar::default()
            },
        });
        let mounts = [mount(CREDENTIALS_VOLUME, DIRECTORY, true), mount("tmp", TMP, false)]
            .into_iter()
            .chain(kept.map(|_| keeper::found()))
            .chain(self.mounts_elsewhere());
        let arguments = &self.plan.arguments;
        let arguments = match kept {
            Some(Kept { image, .. }) => keeper::arguments(image, arguments),
            None => arguments.clone(),
        };
        Container {
            name: CONTAINER.into(),
            image: Some(self.image.into()),
            ports: self.plan.port.map(|port| {
                vec![ContainerPort {
                    name: Some(PORT_NAME.into()),
                    container_port: port.into(),
                    protocol: Some("TCP".into()),
                    ..ContainerPort::default()
                }]
            }),
            // A digest names the same bytes for ever.
            image_pull_policy: Some("IfNotPresent".into()),
            command: kept.map(|Kept { image, orders }| {
                let meeting = match self.plan.port {
                    Some(port) => Meeting::Server(port),
                    None => Meeting::Proxy(SocketAddr::new(address, PROXY_PORT)),
                };
                keeper::command(image, self.drain(), meeting, orders)
            }),
            args: some(arguments),
            env: Some(planned.chain(more).collect()),
            resources: Some(said.resources.clone()),
            security_context: Some(restricted::container()),
            // The last lines of a chaincode that fails come with its status, at once.
            termination_message_policy: Some("FallbackToLogsOnError".into()),
            volume_mounts: Some(mounts.chain(files::mounts(&said.files)).collect()),
            ..Container::default()
        }
    }
}

fn is_on_node(template: &PodTemplateSpec) -> bool {
    template.spec.as_ref().is_some_and(keeper::is_on_node)
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

/// A list or a map that has something.
fn some<C: IntoIterator + Default + PartialEq>(all: C) -> Option<C> {
    (all != C::default()).then_some(all)
}
