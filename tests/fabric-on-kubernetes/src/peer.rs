//! An organisation's peer in its pod, with its launcher beside it.

use std::net::TcpStream;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster::{Cluster, KubectlError, Namespace, Overdue, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use serde_json::{Value, json};
use testbed::operators_file::TAKEN_UP;
use testbed::{OperatorsFile, PeerClient};

use crate::chaincode::{Chaincode, MSP_ID, PACKAGE_ID};
use crate::overlay::{CONFIG, FILE};

/// Where the manifests have the launcher's health.
pub(crate) const HEALTH_PORT: u16 = 8087;

/// From a pod's creation to a peer that serves, images pulled.
const START_LIMIT: Duration = Duration::from_mins(2);

/// The kubelet brings a ConfigMap's change within seconds here, and the launcher looks every second.
const TAKE_UP_LIMIT: Duration = Duration::from_mins(1);

/// A peer's pod, which can be asked what [`PeerClient`] asks.
pub struct PeerPod {
    client: PeerClient,
    namespace: Arc<Namespace>,
    stateful_set: String,
    pod: String,
    /// The launcher's, as it was said last.
    file: Mutex<OperatorsFile>,
}

impl Deref for PeerPod {
    type Target = PeerClient;

    fn deref(&self) -> &PeerClient {
        &self.client
    }
}

impl PeerPod {
    pub(crate) fn new(client: PeerClient, namespace: Arc<Namespace>, file: OperatorsFile) -> Self {
        let stateful_set = format!("peer-{}", client.organisation().name());
        let pod = format!("{stateful_set}-0");
        Self { client, namespace, stateful_set, pod, file: Mutex::new(file) }
    }

    /// The pod's name, which is the peer's.
    pub fn pod(&self) -> &str {
        &self.pod
    }

    /// The directory of this machine that the peer has as [`DATA`](crate::DATA).
    pub fn volume(&self, cluster: &Cluster) -> PathBuf {
        cluster.dir().join("volumes").join(self.namespace.name()).join(&self.pod)
    }

    /// Where it is.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// What the container `peer` or `launcher` has logged in the pod that is there now, each line
    /// with the time at which the container wrote it.
    pub async fn log(&self, container: &str) -> Result<String, String> {
        let parameters = LogParams {
            container: Some(container.to_owned()),
            timestamps: true,
            ..LogParams::default()
        };
        let api = self.namespace.api::<Pod>();
        api.logs(&self.pod, &parameters).await.map_err(|error| error.to_string())
    }

    /// Waits for a line of the container's log that has all of the parts, and returns it.
    pub async fn await_line(
        &self,
        container: &str,
        parts: &[&str],
        limit: Duration,
    ) -> Result<String, Overdue> {
        let what = format!("a line of {container} with {parts:?}");
        until(&what, limit, async || {
            let log = self.log(container).await?;
            let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
            let last = || log.lines().rev().take(8).collect::<Vec<_>>().join("\n");
            log.lines().find(has_all).map(ToOwned::to_owned).ok_or_else(last)
        })
        .await
    }

    /// Waits until the peer serves in the pod that is there now.
    pub async fn await_serving(&self) -> Result<(), Overdue> {
        let pods = self.namespace.api::<Pod>();
        until(&format!("the readiness of {}", self.pod), START_LIMIT, async || {
            let pod = pods.get(&self.pod).await.map_err(|e| e.to_string())?;
            let status = pod.status.unwrap_or_default();
            let mut conditions = status.conditions.iter().flatten();
            let ready = conditions.any(|c| c.type_ == "Ready" && c.status == "True");
            if !ready || pod.metadata.deletion_timestamp.is_some() {
                return Err(format!("{:?}", status.phase));
            }
            let log = self.log("peer").await?;
            if !log.contains("Started peer with ID") {
                return Err(log);
            }
            // A node takes a moment to learn of a pod behind a port.
            let address = (self.client.address().host.as_str(), self.client.address().port);
            TcpStream::connect(address).map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// The pod's UID.
    pub async fn uid(&self) -> Result<String, kube::Error> {
        let pod = self.namespace.api::<Pod>().get(&self.pod).await?;
        Ok(pod.metadata.uid.unwrap_or_default())
    }

    /// The node that the pod is on.
    pub async fn node(&self) -> Result<String, kube::Error> {
        let pod = self.namespace.api::<Pod>().get(&self.pod).await?;
        Ok(pod.spec.and_then(|spec| spec.node_name).unwrap_or_default())
    }

    /// Deletes the pod, as a drain or a person does, and waits until another serves.
    pub async fn delete(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.namespace.kubectl(&["delete", "pod", &self.pod])?;
        Ok(self.await_serving().await?)
    }

    /// Loses the pod for good, as one whose node is gone: nobody ends it in order, none replaces it.
    pub fn lose(&self) -> Result<(), KubectlError> {
        let set = ["delete", "statefulset", &self.stateful_set, "--cascade=orphan"];
        self.namespace.kubectl(&set)?;
        let pod = ["delete", "pod", &self.pod, "--force", "--grace-period=0"];
        self.namespace.kubectl(&pod).map(drop)
    }

    /// Moves the peer to another node, and waits until it serves there.
    pub async fn move_to(&self, node: &str) -> Result<(), Box<dyn std::error::Error>> {
        let old = self.uid().await?;
        let selector = format!(
            r#"{{"spec":{{"template":{{"spec":{{"nodeSelector":{{"kubernetes.io/hostname":"{node}"}}}}}}}}}}"#
        );
        self.namespace.kubectl(&["patch", "statefulset", &self.stateful_set, "-p", &selector])?;
        let what = format!("the move of {} to {node}", self.pod);
        until(&what, START_LIMIT, async || {
            let uid = self.uid().await.map_err(|error| error.to_string())?;
            if uid == old { Err("the old pod is there".to_owned()) } else { Ok(()) }
        })
        .await?;
        Ok(self.await_serving().await?)
    }

    /// Says another value for a key of the operator's file ([`OperatorsFile::say`]), as a person does:
    /// in its ConfigMap and nowhere else. Waits until the launcher has taken it up, which for some keys
    /// means no more than that it will when it starts again.
    pub async fn say(&self, path: &str, value: Value) -> Result<(), Box<dyn std::error::Error>> {
        let text = {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.say(path, value);
            file.to_string()
        };
        let taken_up = async || Ok(self.log("launcher").await?.matches(TAKEN_UP).count());
        let before: usize = taken_up().await.map_err(|error: String| error)?;
        self.write_file(&text)?;
        until(&format!("a launcher that has taken up {path}"), TAKE_UP_LIMIT, async || {
            let now = taken_up().await?;
            if now > before { Ok(()) } else { Err(format!("{now} times until now")) }
        })
        .await?;
        Ok(())
    }

    /// The operator's file, as it was said.
    pub fn file(&self) -> String {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).to_string()
    }

    /// Writes any text in place of the operator's file. The next [`PeerPod::say`] writes all that was
    /// said.
    pub fn write_file(&self, text: &str) -> Result<(), KubectlError> {
        let config = format!("{CONFIG}-{}", self.client.organisation().name());
        let patch = json!({ "data": { FILE: text } }).to_string();
        self.namespace.kubectl(&["patch", "configmap", &config, "-p", &patch]).map(drop)
    }

    /// What the launcher answers at `/readyz`; an error unless it is ready.
    pub fn readyz(&self) -> Result<String, KubectlError> {
        self.told_at("readyz")
    }

    /// What the launcher answers at `/metrics`.
    pub fn metrics(&self) -> Result<String, KubectlError> {
        self.told_at("metrics")
    }

    fn told_at(&self, path: &str) -> Result<String, KubectlError> {
        let ask = format!("wget -qO- http://127.0.0.1:{HEALTH_PORT}/{path}");
        self.exec("peer", &["sh", "-c", &ask])
    }

    /// Runs a command in a container of the pod; what it printed.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<String, KubectlError> {
        let exec = ["exec", &self.pod, "-c", container, "--"];
        self.namespace.kubectl(&[&exec, command].concat())
    }

    /// The chaincode of a package on this peer: its Deployment, once the launcher has made it, and
    /// while none is being replaced.
    pub async fn chaincode(&self, package_id: &str) -> Result<Chaincode, Overdue> {
        self.chaincode_in(&self.namespace, package_id).await
    }

    /// The same in another namespace.
    pub async fn chaincode_in(
        &self,
        namespace: &Arc<Namespace>,
        package_id: &str,
    ) -> Result<Chaincode, Overdue> {
        until(&format!("the Deployment of {package_id}"), START_LIMIT, async || {
            let mut names = self.deployments(namespace, package_id).await?;
            match (names.pop(), names.len()) {
                (Some(name), 0) => Ok(name),
                (last, others) => {
                    Err(format!("{} Deployments", usize::from(last.is_some()) + others))
                }
            }
        })
        .await
        .map(|name| Chaincode::new(name, Arc::clone(namespace)))
    }

    /// What runs the package in another Deployment's place, once that is gone.
    pub async fn successor(
        &self,
        package_id: &str,
        before: &Chaincode,
    ) -> Result<Chaincode, Overdue> {
        until(&format!("the successor of {}", before.name()), START_LIMIT, async || {
            let names = self.deployments(&self.namespace, package_id).await?;
            match &names[..] {
                [name] if name != before.name() => Ok(name.clone()),
                _ => Err(format!("{names:?}")),
            }
        })
        .await
        .map(|name| Chaincode::new(name, Arc::clone(&self.namespace)))
    }

    /// The names of a package's Deployments.
    async fn deployments(
        &self,
        namespace: &Namespace,
        package_id: &str,
    ) -> Result<Vec<String>, String> {
        let selector = ListParams::default().labels(&format!("{MSP_ID}={}", self.client.msp_id()));
        let found = namespace.api::<Deployment>().list(&selector).await;
        let found = found.map_err(|error| error.to_string())?.items.into_iter();
        let names = found.filter_map(|deployment| {
            let annotations = deployment.metadata.annotations?;
            (annotations.get(PACKAGE_ID)? == package_id).then_some(deployment.metadata.name?)
        });
        Ok(names.collect())
    }
}
