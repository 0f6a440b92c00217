//! What makes a pod a replica of its run, held against what an overlay left of it.

use k8s_openapi::api::core::v1::{Container, HostAlias, PodSpec, Volume, VolumeMount};

use super::finding::Finding;
use super::pod::{Pod, list, mount_path, volume_path};
use crate::path::Path;
use selvedge_config::Allowance;

/// What in a chaincode's template is the launcher's own.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The container that runs the chaincode.
    pub container: &'a str,
    /// The init container that waits for the way to the proxy.
    pub gate: &'a str,
    /// The volume with the replicas' credentials.
    pub credentials: &'a str,
    /// The volume with the keeper, if there is one.
    pub keeper: &'a str,
    /// The name by which replicas reach their proxy.
    pub host: &'a str,
    /// The variables that make the chaincode a replica.
    pub environment: &'a [&'a str],
    /// The labels by which the pod, and its network policy, are found.
    pub labels: &'a [&'a str],
    /// The annotations that tell one run's pods from another's.
    pub annotations: &'a [&'a str],
}

/// A template before and after an overlay, and what in it is the launcher's own.
struct Change<'a> {
    before: &'a Pod<'a>,
    after: &'a Pod<'a>,
    own: &'a Own<'a>,
}

const CHECKS: [fn(&Change<'_>) -> Vec<Finding>; 16] = [
    labels,
    annotations,
    dropped_containers,
    ephemeral_containers,
    chaincode_image,
    chaincode_command,
    chaincode_environment,
    credentials,
    shared_credentials,
    keeper,
    gate,
    way_to_proxy,
    names,
    service_account_token,
    shared_processes,
    writable_roots,
];

/// What is mounted over the credentials.
const HIDDEN: &str = "hides the replicas' credentials";

/// What an overlay changed of it.
pub(super) fn findings(before: &Pod<'_>, after: &Pod<'_>, own: &Own<'_>) -> Vec<Finding> {
    let change = Change { before, after, own };
    CHECKS.iter().flat_map(|check| check(&change)).collect()
}

impl Change<'_> {
    /// The path of the chaincode's container.
    fn chaincode(&self) -> Path {
        Path::keys(&["spec", "containers"]).item("name", self.own.container)
    }

    /// The path of the container that waits for the way to the proxy.
    fn gate(&self) -> Path {
        Path::keys(&["spec", "initContainers"]).item("name", self.own.gate)
    }

    /// A container that was and is there, before and after.
    fn both(&self, path: &Path) -> Option<(&Container, &Container)> {
        Some((self.before.container(path)?, self.after.container(path)?))
    }

    /// A field of a container that another value was given.
    fn changed<T: PartialEq>(
        &self,
        path: &Path,
        field: &str,
        of: fn(&Container) -> &T,
        found: fn(Path) -> Finding,
    ) -> Option<Finding> {
        let (before, after) = self.both(path)?;
        (of(before) != of(after)).then(|| found(path.key(field)))
    }
}

fn labels(change: &Change<'_>) -> Vec<Finding> {
    let changed =
        change.own.labels.iter().filter(|key| change.before.label(key) != change.after.label(key));
    let finding = |key: &&str| {
        let path = Path::keys(&["metadata", "labels", key]);
        Finding::breaks(path, "the pod and its network policy are found by this label")
    };
    changed.map(finding).collect()
}

fn annotations(change: &Change<'_>) -> Vec<Finding> {
    let value = |pod: &Pod<'_>, key: &str| {
        pod.annotations().find(|(other, _)| *other == key).map(|(_, value)| value.clone())
    };
    let changed = change
        .own
        .annotations
        .iter()
        .filter(|key| value(change.before, key) != value(change.after, key));
    let finding = |key: &&str| {
        let path = Path::keys(&["metadata", "annotations", key]);
        Finding::breaks(path, "one run's pods are told from another's by this annotation")
    };
    changed.map(finding).collect()
}

/// Every container of the template stays; the gate may go if that is allowed.
fn dropped_containers(change: &Change<'_>) -> Vec<Finding> {
    let containers = change
        .before
        .containers
        .iter()
        .filter(|(path, _)| *path != change.gate() && change.after.container(path).is_none());
    containers.map(|(path, _)| Finding::breaks(path.clone(), "the container is dropped")).collect()
}

fn ephemeral_containers(change: &Change<'_>) -> Vec<Finding> {
    let containers = list(change.after.spec.ephemeral_containers.as_ref()).iter();
    let finding = |name: &String| {
        let path = Path::keys(&["spec", "ephemeralContainers"]).item("name", name);
        Finding::breaks(path, "Kubernetes takes none in a template")
    };
    containers.map(|container| finding(&container.name)).collect()
}

fn chaincode_image(change: &Change<'_>) -> Vec<Finding> {
    let found = |path| {
        let reason = "another image than the one that was built and looked at";
        Finding::lifts(Allowance::ChaincodeImage, path, reason)
    };
    change.changed(&change.chaincode(), "image", |of| &of.image, found).into_iter().collect()
}

fn chaincode_command(change: &Change<'_>) -> Vec<Finding> {
    let found = |path| {
        Finding::lifts(Allowance::ChaincodeCommand, path, "the chaincode is started otherwise")
    };
    let path = change.chaincode();
    let command = change.changed(&path, "command", |of| &of.command, found);
    let arguments = change.changed(&path, "args", |of| &of.args, found);
    command.into_iter().chain(arguments).collect()
}

fn chaincode_environment(change: &Change<'_>) -> Vec<Finding> {
    let path = change.chaincode();
    let Some((before, after)) = change.both(&path) else { return Vec::new() };
    let set = |container: &Container, name: &str| {
        list(container.env.as_ref())
            .iter()
            .filter(|set| set.name == name)
            .cloned()
            .collect::<Vec<_>>()
    };
    let changed =
        change.own.environment.iter().filter(|name| set(before, name) != set(after, name));
    let finding = |name: &&str| {
        let path = path.key("env").item("name", name);
        Finding::breaks(path, "the chaincode finds its proxy, and who it is, by this variable")
    };
    changed.map(finding).collect()
}

/// The replicas' credentials: their volume, its mounts, and that nothing is mounted over those.
fn credentials(change: &Change<'_>) -> Vec<Finding> {
    let volume = |pod: &Pod<'_>| -> Option<Volume> {
        list(pod.spec.volumes.as_ref())
            .iter()
            .find(|all| all.name == change.own.credentials)
            .cloned()
    };
    let mut findings = Vec::new();
    if volume(change.before) != volume(change.after) {
        let path = volume_path(change.own.credentials);
        findings.push(Finding::breaks(path, "the replicas' credentials are replaced"));
    }
    let path = change.chaincode();
    let Some((before, after)) = change.both(&path) else { return findings };
    let message = after.termination_message_path.as_deref().unwrap_or_default();
    let (before, after) = (list(before.volume_mounts.as_ref()), list(after.volume_mounts.as_ref()));
    for mount in before.iter().filter(|mount| mount.name == change.own.credentials) {
        if !after.contains(mount) {
            let reason = "the replicas' credentials are no longer mounted so";
            findings.push(Finding::breaks(mount_path(&path, mount), reason));
        }
        // The kubelet mounts a file there.
        if is_within(message, &mount.mount_path) {
            findings.push(Finding::breaks(path.key("terminationMessagePath"), HIDDEN));
        }
        let over = after.iter().filter(|other| {
            !before.contains(other) && is_within(&other.mount_path, &mount.mount_path)
        });
        findings.extend(
            over.filter(|other| other.mount_path != mount.mount_path)
                .map(|other| Finding::breaks(mount_path(&path, other), HIDDEN)),
        );
    }
    findings
}

/// Whether a path in a container is another, or below it, however it is written: the kubelet takes
/// one that does not begin at the root for one that does.
fn is_within(path: &str, directory: &str) -> bool {
    fn parts(path: &str) -> Vec<&str> {
        path.split('/').fold(Vec::new(), |mut parts, part| {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
            parts
        })
    }
    parts(path).starts_with(&parts(directory))
}

/// Whoever has the credentials is a replica to the proxy.
fn shared_credentials(change: &Change<'_>) -> Vec<Finding> {
    let credentials = |volume: &Volume| volume.name == change.own.credentials;
    let volumes = list(change.before.spec.volumes.as_ref()).iter();
    let secret = volumes
        .filter(|volume| credentials(volume))
        .find_map(|volume| volume.secret.as_ref()?.secret_name.as_deref());
    let mut paths = Vec::new();
    for (path, volume) in change.after.volumes().filter(|(_, volume)| !credentials(volume)) {
        paths.extend(secret.filter(|secret| has_secret(volume, secret)).map(|_| path));
    }
    let chaincode = change.chaincode();
    for (path, container) in &change.after.containers {
        let mounts = list(container.volume_mounts.as_ref()).iter();
        let mounted = mounts.filter(|mount| mount.name == change.own.credentials);
        if *path != chaincode {
            paths.extend(mounted.map(|mount| mount_path(path, mount)));
        }
        paths.extend(secret.into_iter().flat_map(|secret| read_from(path, container, secret)));
    }
    let finding = |path| {
        let reason = "gives out the replicas' credentials, with which anything is taken for one";
        Finding::lifts(Allowance::ShareCredentials, path, reason)
    };
    paths.into_iter().map(finding).collect()
}

fn has_secret(volume: &Volume, name: &str) -> bool {
    let whole = volume.secret.as_ref().and_then(|source| source.secret_name.as_deref());
    let sources =
        volume.projected.as_ref().map_or(&[][..], |all| list(all.sources.as_ref())).iter();
    let mut projected = sources.filter_map(|source| source.secret.as_ref());
    whole == Some(name) || projected.any(|secret| secret.name == name)
}

/// The variables that a container has from a Secret.
fn read_from(path: &Path, container: &Container, name: &str) -> Vec<Path> {
    let variables = list(container.env.as_ref()).iter().filter(|variable| {
        let source = variable.value_from.as_ref();
        let secret = source.and_then(|source| source.secret_key_ref.as_ref());
        secret.is_some_and(|secret| secret.name == name)
    });
    let variables = variables.map(|variable| path.key("env").item("name", &variable.name));
    let sources = list(container.env_from.as_ref()).iter();
    let whole = sources.filter_map(|source| source.secret_ref.as_ref());
    let whole = whole.filter(|secret| secret.name == name).map(|_| path.key("envFrom"));
    variables.chain(whole).collect()
}

/// The keeper starts the chaincode: what is in its place is what the gate left there, and nobody else
/// can write there.
fn keeper(change: &Change<'_>) -> Vec<Finding> {
    let is_it = |volume: &&Volume| volume.name == change.own.keeper;
    let volume = |pod: &Pod<'_>| list(pod.spec.volumes.as_ref()).iter().find(is_it).cloned();
    let Some(before) = volume(change.before) else { return Vec::new() };
    let mut findings = Vec::new();
    if volume(change.after) != Some(before) {
        let path = volume_path(change.own.keeper);
        findings.push(Finding::breaks(path, "the chaincode's keeper is replaced"));
    }
    for (path, container) in &change.after.containers {
        let before = change.before.container(path);
        let before = before.map_or(&[][..], |before| list(before.volume_mounts.as_ref()));
        let after = list(container.volume_mounts.as_ref());
        let ours = |mount: &&VolumeMount| mount.name == change.own.keeper;
        let added = after.iter().filter(ours).filter(|mount| !before.contains(mount));
        let dropped = before.iter().filter(ours).filter(|mount| !after.contains(mount));
        let finding = |mount| {
            Finding::breaks(mount_path(path, mount), "the chaincode's keeper is mounted otherwise")
        };
        findings.extend(added.chain(dropped).map(finding));
    }
    findings
}

/// Chaincode that is started before the proxy can be reached fails, and is started again ever more
/// seldom.
fn gate(change: &Change<'_>) -> Vec<Finding> {
    let path = change.gate();
    let Some(before) = change.before.container(&path) else { return Vec::new() };
    let Some(after) = change.after.container(&path) else {
        return vec![Finding::lifts(Allowance::Gate, path, "no longer waits for the proxy")];
    };
    let changed = [
        ("image", before.image == after.image),
        ("command", before.command == after.command),
        ("args", before.args == after.args),
        ("restartPolicy", before.restart_policy == after.restart_policy),
    ];
    let changed = changed.into_iter().filter(|(_, same)| !same);
    let finding = |(field, _)| {
        Finding::lifts(Allowance::Gate, path.key(field), "may no longer wait for the proxy")
    };
    changed.map(finding).collect()
}

/// The proxy's name leads to its address, and nowhere else.
fn way_to_proxy(change: &Change<'_>) -> Vec<Finding> {
    let named = |spec: &PodSpec| -> Vec<HostAlias> {
        let aliases = list(spec.host_aliases.as_ref()).iter();
        let ours = aliases.filter(|alias| {
            list(alias.hostnames.as_ref())
                .iter()
                .any(|name| name.eq_ignore_ascii_case(change.own.host))
        });
        ours.cloned().collect()
    };
    let (before, after) = (named(change.before.spec), named(change.after.spec));
    let lost = before.iter().filter(|alias| !after.iter().any(|other| other.ip == alias.ip));
    let added = after.iter().filter(|alias| !before.iter().any(|other| other.ip == alias.ip));
    let path = Path::keys(&["spec", "hostAliases"]);
    let reason = format!("the proxy's name {} would lead elsewhere", change.own.host);
    let finding = |alias: &HostAlias| Finding::breaks(path.item("ip", &alias.ip), reason.as_str());
    lost.chain(added).map(finding).collect()
}

/// The pods ask no server of names: whatever is put into a name leaves by one.
fn names(change: &Change<'_>) -> Vec<Finding> {
    let (before, after) = (change.before.spec, change.after.spec);
    let servers = |spec: &PodSpec| {
        spec.dns_config.as_ref().and_then(|config| config.nameservers.clone()).unwrap_or_default()
    };
    let changed = [
        (&["spec", "dnsPolicy"][..], before.dns_policy == after.dns_policy),
        (&["spec", "dnsConfig", "nameservers"], servers(before) == servers(after)),
    ];
    let changed = changed.into_iter().filter(|(_, same)| !same);
    let finding = |(path, _): (&[&str], bool)| {
        Finding::lifts(Allowance::Dns, Path::keys(path), "asks other servers of names")
    };
    changed.map(finding).collect()
}

fn service_account_token(change: &Change<'_>) -> Vec<Finding> {
    let token = |pod: &Pod<'_>| -> Vec<Path> {
        let automatic = pod.spec.automount_service_account_token != Some(false);
        let automatic = automatic.then(|| Path::keys(&["spec", "automountServiceAccountToken"]));
        let projected = pod.volumes().filter(|(_, volume)| {
            let sources =
                volume.projected.as_ref().map_or(&[][..], |all| list(all.sources.as_ref()));
            sources.iter().any(|source| source.service_account_token.is_some())
        });
        automatic.into_iter().chain(projected.map(|(path, _)| path.key("projected"))).collect()
    };
    let was = token(change.before);
    let new = token(change.after).into_iter().filter(|path| !was.contains(path));
    let finding = |path| {
        let reason = "the pod has a token of its service account";
        Finding::lifts(Allowance::ServiceAccountToken, path, reason)
    };
    new.map(finding).collect()
}

/// Who sees another's processes reads its files and its variables, the credentials among them.
fn shared_processes(change: &Change<'_>) -> Vec<Finding> {
    let shared = |pod: &Pod<'_>| pod.spec.share_process_namespace == Some(true);
    let path = Path::keys(&["spec", "shareProcessNamespace"]);
    let reason = "the containers see one another's processes, and files by them";
    (shared(change.after) && !shared(change.before))
        .then(|| Finding::lifts(Allowance::ShareProcessNamespace, path, reason))
        .into_iter()
        .collect()
}

fn writable_roots(change: &Change<'_>) -> Vec<Finding> {
    let read_only = |container: &Container| {
        let context = container.security_context.as_ref();
        context.and_then(|own| own.read_only_root_filesystem) == Some(true)
    };
    let lifted = change.after.containers.iter().filter(|(path, after)| {
        change.before.container(path).is_some_and(read_only) && !read_only(after)
    });
    let finding = |path: &Path| {
        let path = path.key("securityContext").key("readOnlyRootFilesystem");
        Finding::lifts(Allowance::WritableRootFilesystem, path, "the root can be written to")
    };
    lifted.map(|(path, _)| finding(path)).collect()
}
