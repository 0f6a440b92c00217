//! What a chaincode is in Kubernetes: the names, the launch and the objects of one chaincode of one
//! peer, as pure functions. No client of a cluster is in it, so that what would be applied can be
//! told without one.

mod blueprint;
pub mod container;
pub mod egress;
mod identity;
mod launch;
mod peer;
pub mod restricted;

pub use blueprint::{
    Affinity, Blueprint, CONTAINER, GATE, NoAddress, PROXY_PORT, PodShape, address, owner,
};
pub use identity::{
    CREDENTIALS, GENERATION, INSTANCE, Identity, MANAGED_BY, MANAGER, PACKAGE_ID, PEER, STOPPED_AT,
    Slot, label_value, peer_selector, short_hash, slug,
};
pub use launch::{DIRECTORY, Language, LaunchPlan, LaunchTarget, ReplicaCredentials};
pub use peer::PeerPod;
