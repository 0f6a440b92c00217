//! A namespace for one test, which shows what was in it when the test fails.

use std::thread;
use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::Value;
use thiserror::Error;

use crate::cluster::Cluster;
use crate::kubectl::{Kubectl, KubectlError};
use crate::wait::{Overdue, until};

/// For what takes a pod's start, with an image that may have to be pulled.
const LIMIT: Duration = Duration::from_mins(2);

/// A namespace did not do what it should.
#[derive(Debug, Error)]
pub enum NamespaceError {
    /// The API server refused it.
    #[error("cannot make the namespace {name}")]
    Create {
        /// Which.
        name: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// Something did not come.
    #[error(transparent)]
    Overdue(#[from] Overdue),
}

/// A namespace of a test's own. Dropping it deletes it with all that is in it; during a panic it
/// prints first the pods' states, the events and the logs.
pub struct Namespace {
    name: String,
    client: Client,
    kubectl: Kubectl,
}

impl Cluster {
    /// Makes a namespace, and returns when pods can be created in it.
    pub async fn namespace(&self, name: &str) -> Result<Namespace, NamespaceError> {
        let client = self.client();
        let object = core::Namespace {
            metadata: kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() },
            ..Default::default()
        };
        let all: Api<core::Namespace> = Api::all(client.clone());
        all.create(&PostParams::default(), &object).await.map_err(|source| {
            NamespaceError::Create { name: name.to_owned(), source: Box::new(source) }
        })?;
        let namespace = self.adopt(name);
        let accounts: Api<core::ServiceAccount> = namespace.api();
        until("the service account `default`", LIMIT, async || {
            accounts.get("default").await.map_err(|e| e.to_string())
        })
        .await?;
        Ok(namespace)
    }

    /// A namespace that another hand makes or has made, which from now on is a test's own.
    pub fn adopt(&self, name: &str) -> Namespace {
        Namespace { name: name.to_owned(), client: self.client(), kubectl: self.kubectl().clone() }
    }
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The objects of one kind in it.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// `kubectl apply` of one object, or of a `List`.
    pub fn apply(&self, object: &Value) -> Result<(), KubectlError> {
        self.kubectl.apply(&self.name, object)
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, KubectlError> {
        self.kubectl.run(&[&["--namespace", self.name.as_str()], arguments].concat())
    }

    /// Runs a command in a pod; what it printed.
    pub fn exec(&self, pod: &str, command: &[&str]) -> Result<String, KubectlError> {
        self.kubectl(&[&["exec", pod, "--"], command].concat())
    }

    /// Waits until a pod is ready, and returns it.
    pub async fn await_ready(&self, pod: &str) -> Result<core::Pod, Overdue> {
        let pods: Api<core::Pod> = self.api();
        until(&format!("the readiness of pod {pod}"), LIMIT, async || {
            let pod = pods.get(pod).await.map_err(|e| e.to_string())?;
            let status = pod.status.clone().unwrap_or_default();
            let ready = status.conditions.iter().flatten();
            let mut ready = ready.filter(|condition| condition.type_ == "Ready");
            match ready.next() {
                Some(condition) if condition.status == "True" => Ok(pod),
                _ => Err(status.phase.unwrap_or_else(|| "no status".to_owned())),
            }
        })
        .await
    }

    /// What a person would ask first: pods, events, and every container's last lines.
    pub fn report(&self) -> String {
        self.kubectl.report(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.report());
        }
        // A cluster that is gone has no namespaces either.
        let _ = self.kubectl.run(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}
