//! Configuration files of what runs on a node: pure functions of typed input.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};

use crate::network::{DNS_SERVICE, Lan, PODS, node_pods};

/// containerd's, as TOML (version 2 of the format, for containerd 1.6 and 1.7).
///
/// `restrict_oom_score_adj`: without `CAP_SYS_RESOURCE` every sandbox fails otherwise.
pub(crate) fn containerd(registry: &str, runc: &Path, cni_plugins: &Path, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{registry}/pause:1"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_plugins}"
conf_dir = "{dir}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{dir}/registries"
"#,
        cni_plugins = cni_plugins.display(),
        runc = runc.display(),
    )
}

/// What containerd is told of the registry: plain HTTP.
pub(crate) fn registry_host(registry: &str) -> String {
    let url = format!("http://{registry}");
    format!("server = \"{url}\"\n\n[host.\"{url}\"]\ncapabilities = [\"pull\", \"resolve\"]\n")
}

/// The network of a node's pods.
pub(crate) fn cni(node: u8, lan: Lan) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                // ground.sh masquerades: the plugin would do so between nodes too, and hide from
                // a NetworkPolicy who sends.
                "ipMasq": false,
                "hairpinMode": true,
                "mtu": lan.mtu,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": node_pods(node) }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

/// kubelet's.
pub(crate) fn kubelet(address: Ipv4Addr, cgroup: &str, resolv_conf: &Path, dir: &Path) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": dir.join("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": dir.join("kubelet.crt"),
        "tlsPrivateKeyFile": dir.join("kubelet.key"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failSwapOn": false,
        // The default asks for a privilege that a container of this machine may not have.
        "oomScoreAdj": 0,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": resolv_conf,
        "volumePluginDir": "/var/lib/kubelet/plugins",
        "registryPullQPS": 0,
        "serializeImagePulls": false,
        // The disk is this machine's, and so is its shortage.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        // How often a pod's ConfigMaps are brought up to date: a minute otherwise.
        "syncFrequency": "2s",
        // What fills its volume is to be noticed while it still runs.
        "volumeStatsAggPeriod": "2s",
    })
}

/// kube-proxy's. What it would set for the whole kernel is left as it is (zero).
pub(crate) fn kube_proxy(name: &str, address: Ipv4Addr, kubeconfig: &Path) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": kubeconfig },
        "mode": "iptables",
        "bindAddress": address,
        "clusterCIDR": PODS,
        "hostnameOverride": name,
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        // Node ports on loopback, too, as by default: by these nodes pull from a registry in a pod.
        "iptables": { "localhostNodePorts": true, "minSyncPeriod": "0s" },
    })
}

/// The name servers that pods' questions for other names are passed on to: those of the host's
/// resolv.conf that are not on the host's own loopback, which pods cannot reach.
pub(crate) fn resolv_conf(host: &str) -> String {
    host.lines()
        .filter(|line| !line.contains("127.") && !line.contains("::1"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_do_not_ask_the_hosts_loopback() {
        let host = "search example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n";
        assert_eq!(resolv_conf(host), "search example.org\nnameserver 192.0.2.53\n");
    }
}
