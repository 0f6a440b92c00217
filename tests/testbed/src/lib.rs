//! A real Fabric network on one machine, for tests, benchmarks and the demo.
//!
//! ```no_run
//! use testbed::{
//!     Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec,
//!     PeerSpec, Release, dist_dir,
//! };
//!
//! let dist = dist_dir();
//! let launcher = Launcher::start(&LauncherSpec::new(dist.join("bin/selvedge-launcher")))?;
//! let mut org1 = PeerSpec::new("Org1MSP", ExternalBuilder::selvedge(&dist));
//! org1.environment.insert("SELVEDGE_LAUNCHER".into(), launcher.address().into());
//!
//! let binaries = Binaries::obtain(Release::V3_1_1, &mut |line| eprintln!("{line}"))?;
//! let network = Network::start(&binaries, &NetworkSpec::new(vec![org1]))?;
//! network.deploy("ledger.tar.gz".as_ref(), &Definition::new("ledger"))?;
//! let peer = network.peer("Org1MSP");
//! peer.invoke("ledger", r#"{"Args":["Put","k","v"]}"#)?;
//! assert_eq!(peer.query("ledger", r#"{"Args":["Get","k"]}"#)?, "v");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is made of what:
//!
//! - [`material`] is pure: typed input in, Fabric's configuration files out.
//! - [`process`] runs servers so that none outlives the harness, however the harness ends.
//! - [`Network`], [`Peer`] and [`Orderer`] put the two together; [`Launcher`] runs Selvedge's.

pub mod binaries;
pub mod cache;
pub mod chaincode;
pub mod cli;
pub mod client;
pub mod copy;
pub mod debian;
pub mod dist;
pub mod fabric_source;
pub mod go_module;
pub mod go_program;
pub mod hanging;
pub mod launcher;
pub mod log;
pub mod material;
pub mod network;
pub mod node_managers;
pub mod operators_file;
pub mod orderer;
pub mod peer;
mod ports;
pub mod process;
pub mod registry;
pub mod release;
pub mod scanner;
pub mod scratch;
pub mod temporary_registry;
mod topology;
mod unprivileged;

pub use binaries::Binaries;
pub use chaincode::{CallOptions, Definition, InstalledChaincode};
pub use cli::CliError;
pub use client::{GatewayAccess, Packaging, PeerClient};
pub use dist::dist_dir;
pub use launcher::{Launcher, LauncherSpec};
pub use log::{Log, Mark};
pub use material::core_config::{ChaincodeLimits, ExternalBuilder};
pub use network::{Network, NetworkError, NetworkSpec, PeerSpec, RemoteNetwork, Site};
pub use operators_file::OperatorsFile;
pub use orderer::Orderer;
pub use peer::Peer;
pub use ports::{Port, PortError};
pub use release::Release;
pub use scratch::{Scratch, end_all};
pub use unprivileged::unprivileged;
