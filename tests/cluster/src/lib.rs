//! A real two-node Kubernetes on one machine, for tests and the demo.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cluster::{Cluster, ClusterSpec, Tools};
//!
//! let tools = Tools::obtain(&mut |line| eprintln!("{line}"))?;
//! let cluster = Cluster::start(&tools, ClusterSpec::default()).await?;
//! let namespace = cluster.namespace("affinity").await?;
//! namespace.apply(&serde_json::json!({
//!     "apiVersion": "v1",
//!     "kind": "Pod",
//!     "metadata": { "name": "shell" },
//!     "spec": { "containers": [
//!         { "name": "shell", "image": cluster.image("busybox"), "command": ["sleep", "infinity"] },
//!     ]},
//! }))?;
//! namespace.await_ready("shell").await?;
//! assert_eq!(namespace.exec("shell", &["echo", "hello"])?, "hello\n");
//! # Ok(())
//! # }
//! ```
//!
//! etcd, the API server, the controller manager, the scheduler and two registries (one of which wants a password) on one machine; on
//! each node containerd, kubelet, kube-proxy and kube-router, which enforces `NetworkPolicy` objects;
//! `CoreDNS` in a pod. A machine is a set of namespaces (network, processes, mounts): two clusters
//! have nothing in common, and what runs in one ends with it.

mod certificates;
mod cluster;
mod configuration;
mod control_plane;
mod debian;
mod dns;
mod ground;
mod images;
mod kubeconfig;
mod kubectl;
mod namespace;
mod network;
mod node;
mod registry;
mod running;
mod start_error;
mod tools;
mod wait;

pub use cluster::{Cluster, ClusterSpec};
pub use ground::GroundError;
pub use images::ImagesError;
pub use kubectl::{Kubectl, KubectlError};
pub use namespace::{Namespace, NamespaceError};
pub use node::Node;
pub use registry::GuardedRegistry;
pub use running::{Running, running, sweep};
pub use start_error::StartError;
pub use tools::{Tools, ToolsError};
pub use wait::{Overdue, until};
