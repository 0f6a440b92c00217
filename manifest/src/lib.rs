//! What a chaincode is in Kubernetes: the names, the launch and the objects of one chaincode of one
//! peer, as pure functions. No client of a cluster is in it, so that what would be applied can be
//! told without one.

pub mod baseline;
mod blueprint;
mod check;
pub mod container;
pub mod egress;
mod identity;
mod launch;
pub mod overlay;
pub mod path;
mod peer;
mod pull_login;
pub mod restricted;
mod sketch;

pub use blueprint::{
    Blueprint, CONTAINER, Deployed, GATE, KEEPER_PORT, NoAddress, PROXY_PORT, Unfit, address,
    owner, pods_at_rest, takes_orders_to_kill,
};
pub use check::{Lifting, check, check_variant};
pub use identity::{
    CREDENTIALS, GENERATION, INSTANCE, Identity, LIFTED, MANAGED_BY, MANAGER, PACKAGE_ID, PEER,
    STOPPED_AT, Slot, label, label_value, peer_selector, short_hash, slug,
};
pub use launch::{DIRECTORY, LaunchPlan, LaunchTarget, ReplicaCredentials, listening_at};
pub use peer::PeerPod;
pub use pull_login::PullLogin;
pub use sketch::{
    IMAGE_DIGEST, LAUNCHER_IMAGE, NODE, Object, PROXY, REGISTRY, SERVICE_ADDRESS, Sketch,
};
