//! A real Fabric network in a real Kubernetes, for the cluster suites and the demo.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cluster::{Cluster, ClusterSpec, Tools};
//! use fabric_on_kubernetes::{Fabric, FabricSpec, Images};
//! use testbed::{Binaries, Definition, Release, dist_dir};
//!
//! let cluster = Cluster::start(&Tools::obtain(&mut |_| {})?, ClusterSpec::default()).await?;
//! let binaries = Binaries::obtain(Release::V3_1_1, &mut |_| {})?;
//! let images = Images::make(&cluster, &binaries, &dist_dir())?;
//! let fabric =
//!     Fabric::raise(&cluster, &images, &binaries, &FabricSpec::new("trade", &["Org1MSP"])).await?;
//! fabric.network().deploy("ledger.tar.gz".as_ref(), &Definition::new("ledger"))?;
//! let peer = fabric.peer("Org1MSP");
//! peer.invoke("ledger", r#"{"Args":["Put","k","v"]}"#)?;
//! println!("{}", fabric.placement()?);
//! # Ok(())
//! # }
//! ```
//!
//! The orderer is a process of this machine; each organisation's peer is a pod, raised with the
//! manifests of `images/kubernetes` as a user would raise it: a kustomization for each peer, and in it
//! the component that adds the launcher. So what those grant is all that the launcher has.

mod chaincode;
mod dependencies;
mod fabric;
mod fabric_error;
mod images;
mod installation;
mod outside;
mod overlay;
mod peer;
pub mod processes;

pub use chaincode::Chaincode;
pub use dependencies::BuildCache;
pub use fabric::{Fabric, FabricSpec};
pub use fabric_error::FabricError;
pub use images::{DATA, Images, ImagesError};
pub use installation::Installation;
pub use peer::PeerPod;
