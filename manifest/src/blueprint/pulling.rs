//! By what nodes pull a chaincode's image, where the launcher itself is the registry that has it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;

use super::Blueprint;
use crate::pull_login::PullLogin;

/// The type of Secrets that kubelets log in by, and the key of what is in them.
const KIND: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";

impl Blueprint<'_> {
    /// What the kubelet logs in by. A chaincode has one of its own, which goes with it.
    pub fn pull_secret(&self, owner: &OwnerReference) -> Option<Secret> {
        let PullLogin { registry, user, password } = self.pull_login?;
        let config = json!({ "auths": { registry: { "username": user, "password": password } } });
        let mut metadata = self.metadata(Some(owner));
        metadata.name = self.pull_secret_name();
        Some(Secret {
            metadata,
            type_: Some(KIND.into()),
            data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(config.to_string().into()))])),
            ..Secret::default()
        })
    }

    /// What that is called, if there is one.
    pub(super) fn pull_secret_name(&self) -> Option<String> {
        self.pull_login.map(|_| format!("{}-pull", self.identity.name))
    }
}
