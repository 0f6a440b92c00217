//! The kustomizations of one peer, as a user would write them over those of `images/kubernetes`: the
//! peer with nothing of Selvedge's, and with it, in each of the ways. Pure but for reading the peer's
//! keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testbed::cache::{CacheError, io_error};
use testbed::{OperatorsFile, PeerClient};

use crate::images::{BUILDERS, Images, builders};
use crate::installation::Installation;

/// What tells the peers of a namespace apart.
pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";

/// The ConfigMap with the operator's file, and the file in it.
pub(crate) const CONFIG: &str = "selvedge-config";
pub(crate) const FILE: &str = "selvedge.yaml";

/// `config.yaml` of an MSP whose roles are organisational units, for the CA certificate that the
/// manifest puts there (`msp/configbuilder.go`).
const NODE_OUS: &str = r"NodeOUs:
  Enable: true
  ClientOUIdentifier: { Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: client }
  PeerOUIdentifier: { Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: peer }
  AdminOUIdentifier: { Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: admin }
  OrdererOUIdentifier: { Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: orderer }
";

/// What makes one peer's overlay.
pub(crate) struct Overlay<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) peer: &'a PeerClient,
    pub(crate) images: &'a Images,
    pub(crate) node: &'a str,
    /// The launcher's.
    pub(crate) file: &'a OperatorsFile,
    /// The launcher's environment, beside what every launcher has.
    pub(crate) launchers: &'a BTreeMap<String, String>,
    /// The peer's, likewise.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// What of it the builders get.
    pub(crate) propagated: &'a [String],
    /// The peer's.
    pub(crate) tolerations: &'a [Value],
}

impl Overlay<'_> {
    /// The files of all kustomizations by their paths, in a directory in which `images/kubernetes` is
    /// as `base`. JSON, which is YAML.
    pub(crate) fn files(&self) -> Result<Vec<(String, Value)>, CacheError> {
        let name = |name: &str| format!("{name}/kustomization.yaml");
        let above = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["peer"],
            "components": ["../base/own-namespace"],
        });
        let own = Installation::OwnNamespace.kustomization();
        Ok(vec![
            ("secrets/secrets.json".to_owned(), self.secrets()?),
            (name("secrets"), json!({ "resources": ["secrets.json"] })),
            (name(Installation::None.kustomization()), self.kustomization("..", &[])),
            (
                name(Installation::SameNamespace.kustomization()),
                self.kustomization("..", &["component", "same-namespace"]),
            ),
            (
                name(Installation::OwnRegistry.kustomization()),
                self.kustomization("..", &["component", "same-namespace", "registry"]),
            ),
            (name(own), above),
            (name(&format!("{own}/peer")), self.kustomization("../..", &["component"])),
        ])
    }

    /// The peer's, which is so far below the directory of all, with these components.
    fn kustomization(&self, top: &str, components: &[&str]) -> Value {
        let image = |name: &str, reference: &str| {
            let (repository, digest) = reference.split_once('@').unwrap_or((reference, ""));
            json!({ "name": name, "newName": repository, "digest": digest })
        };
        let name = self.peer.organisation().name();
        let mut patches = vec![json!({ "patch": self.peer_patch().to_string() })];
        if !components.is_empty() {
            patches.push(json!({ "patch": self.launcher_patch().to_string() }));
            patches.push(json!({ "patch": self.file_patch().to_string() }));
        }
        let components: Vec<_> =
            components.iter().map(|name| format!("{top}/base/{name}")).collect();
        json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": self.namespace,
            "nameSuffix": format!("-{name}"),
            "labels": [
                { "pairs": { INSTANCE: name }, "includeSelectors": true, "includeTemplates": true },
            ],
            "resources": [format!("{top}/base/peer"), format!("{top}/secrets")],
            "components": components,
            "images": [
                image("docker.io/hyperledger/fabric-peer", &self.images.peer),
                image("selvedge-launcher", &self.images.launcher),
            ],
            "patches": patches,
        })
    }

    /// What is the organisation's own.
    fn peer_patch(&self) -> Value {
        let environment = variables(&self.peer_environment());
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": { "name": "peer" },
            "spec": { "template": { "spec": {
                "nodeSelector": { "kubernetes.io/hostname": self.node },
                "tolerations": self.tolerations,
                "containers": [{ "name": "peer", "env": environment }],
            }}},
        })
    }

    /// What of the launcher's environment is other than the manifests have it.
    fn launcher_patch(&self) -> Value {
        let mut spec = json!({});
        // A list of nothing would take away what is there.
        if !self.launchers.is_empty() {
            let env = variables(self.launchers);
            spec["initContainers"] = json!([{ "name": "launcher", "env": env }]);
        }
        if !self.propagated.is_empty() {
            let env = [json!({ "name": BUILDERS, "value": builders(self.propagated) })];
            spec["containers"] = json!([{ "name": "peer", "env": env }]);
        }
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": { "name": "peer" },
            "spec": { "template": { "spec": spec } },
        })
    }

    fn peer_environment(&self) -> BTreeMap<String, String> {
        let address = self.peer.address().to_string();
        let mut environment: BTreeMap<String, String> = [
            ("CORE_PEER_LOCALMSPID", self.peer.msp_id()),
            ("CORE_PEER_ADDRESS", &address),
            ("CORE_PEER_GOSSIP_BOOTSTRAP", &address),
            ("CORE_PEER_GOSSIP_ENDPOINT", &address),
            ("CORE_PEER_GOSSIP_EXTERNALENDPOINT", &address),
            // Every connection that ends would be a line of theirs.
            ("FABRIC_LOGGING_FORMAT", "%{level:.4s} [%{module}] %{message}"),
            ("FABRIC_LOGGING_SPEC", "info:grpc=error:comm.grpc.server=error"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        environment.extend(self.environment.clone());
        environment
    }

    fn file_patch(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": CONFIG },
            "data": { FILE: self.file.to_string() },
        })
    }

    /// The Secrets `peer-msp` and `peer-tls`.
    pub(crate) fn secrets(&self) -> Result<Value, CacheError> {
        let material = self.peer.material();
        let (msp, tls) = (&material.msp, &material.tls);
        let secret = |name: &str, content: Value| {
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": name },
                "stringData": content,
            })
        };
        let msp = json!({
            "config.yaml": NODE_OUS,
            "ca.pem": only_file(&msp.join("cacerts"))?,
            "tlsca.pem": only_file(&msp.join("tlscacerts"))?,
            "cert.pem": only_file(&msp.join("signcerts"))?,
            "key.pem": only_file(&msp.join("keystore"))?,
        });
        let tls = json!({
            "tls.crt": read(&tls.join("server.crt"))?,
            "tls.key": read(&tls.join("server.key"))?,
            "ca.crt": read(&tls.join("ca.crt"))?,
        });
        let items = [secret("peer-msp", msp), secret("peer-tls", tls)];
        Ok(json!({ "apiVersion": "v1", "kind": "List", "items": items }))
    }
}

fn variables(environment: &BTreeMap<String, String>) -> Vec<Value> {
    environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The content of the one file in a directory of an MSP.
fn only_file(dir: &Path) -> Result<String, CacheError> {
    let entry = fs::read_dir(dir).and_then(|mut entries| {
        entries.next().unwrap_or_else(|| Err(std::io::ErrorKind::NotFound.into()))
    });
    read(&entry.map_err(|e| io_error("read", dir, e))?.path())
}

fn read(path: &Path) -> Result<String, CacheError> {
    fs::read_to_string(path).map_err(|e| io_error("read", path, e))
}

#[cfg(test)]
mod tests {
    use selvedge_config::{BackendKind, Operator};
    use testbed::dist::workspace_dir;

    use super::*;
    use crate::peer::HEALTH_PORT;

    fn manifest(name: &str) -> String {
        read(&workspace_dir().join("images/kubernetes").join(name)).unwrap()
    }

    /// The overlays here bring a file of their own, so nothing else reads this one.
    #[test]
    fn the_manifests_operators_file_has_no_fault_and_fits_the_peers_manifest() {
        let config_map = manifest("component/operators-file.yaml");
        assert!(config_map.contains(&format!("name: {CONFIG}\n")));
        let (_, file) = config_map.split_once(&format!("{FILE}: |\n")).unwrap();
        let operator =
            Operator::read(file.replace("\n    ", "\n").trim_start().as_bytes()).unwrap();
        assert_eq!(operator.backend(), BackendKind::Kubernetes);
        let health = operator.health().address.unwrap();
        assert_eq!(health.port(), HEALTH_PORT);
        let pod = manifest("component/pod.yaml");
        for part in [format!("containerPort: {HEALTH_PORT}"), format!("name: {CONFIG}")] {
            assert!(pod.contains(&part), "{part}");
        }
    }

    #[test]
    fn the_readmes_operators_file_has_no_fault() {
        let readme = read(&workspace_dir().join("README.md")).unwrap();
        let mut blocks =
            readme.split("```yaml\n").filter(|text| text.starts_with("apiVersion: selvedge"));
        let (file, _) = blocks.next().unwrap().split_once("```").unwrap();
        Operator::read(file.as_bytes()).unwrap();
    }
}
