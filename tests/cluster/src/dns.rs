//! The cluster's name server: `CoreDNS` in a pod, found as everywhere by `k8s-app: kube-dns`.

use serde_json::{Value, json};

use crate::network::DNS_SERVICE;

const NAMESPACE: &str = "kube-system";

/// The Deployment's name.
pub(crate) const DEPLOYMENT: &str = "coredns";

/// All objects of the name server. `forward`: pods may ask for names outside the cluster.
pub(crate) fn manifest(image: &str, forward: bool) -> Value {
    let meta = json!({ "name": DEPLOYMENT, "namespace": NAMESPACE });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": "system:coredns" },
            "rules": [
                { "apiGroups": [""], "resources": ["services", "pods", "namespaces"],
                  "verbs": ["list", "watch"] },
                { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
                  "verbs": ["list", "watch"] },
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "system:coredns" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                         "name": "system:coredns" },
            "subjects": [
                { "kind": "ServiceAccount", "name": DEPLOYMENT, "namespace": NAMESPACE },
            ],
        },
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
          "data": { "Corefile": corefile(forward) } },
        deployment(image, &meta),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "kube-dns", "namespace": NAMESPACE,
                          "labels": { "k8s-app": "kube-dns" } },
            "spec": {
                "clusterIP": DNS_SERVICE,
                "selector": { "k8s-app": "kube-dns" },
                "ports": [
                    { "name": "dns", "port": 53, "protocol": "UDP" },
                    { "name": "dns-tcp", "port": 53, "protocol": "TCP" },
                ],
            },
        },
    ]})
}

fn deployment(image: &str, meta: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "selector": { "matchLabels": { "k8s-app": "kube-dns" } },
            "template": {
                "metadata": { "labels": { "k8s-app": "kube-dns" } },
                "spec": {
                    "serviceAccountName": DEPLOYMENT,
                    "priorityClassName": "system-cluster-critical",
                    "dnsPolicy": "Default",
                    "containers": [{
                        "name": DEPLOYMENT,
                        "image": image,
                        "args": ["-conf", "/etc/coredns/Corefile"],
                        "readinessProbe": {
                            "httpGet": { "path": "/ready", "port": 8181 },
                            "periodSeconds": 1,
                        },
                        "volumeMounts": [
                            { "name": "config", "mountPath": "/etc/coredns", "readOnly": true },
                        ],
                    }],
                    "volumes": [{ "name": "config", "configMap": { "name": DEPLOYMENT } }],
                },
            },
        },
    })
}

fn corefile(forward: bool) -> String {
    let forward = if forward { "    forward . /etc/resolv.conf\n" } else { "" };
    format!(
        ".:53 {{\n    errors\n    ready\n    \
         kubernetes cluster.local in-addr.arpa ip6.arpa {{\n        pods insecure\n    }}\n\
         {forward}    cache 5\n}}\n"
    )
}
