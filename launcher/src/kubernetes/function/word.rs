//! What a function's pods are told of.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::backend::{Meeting, ReplicaExit};

/// A pod, by its UID.
pub(super) type PodUid = String;

/// What a function's pods are told of.
pub(super) enum Word {
    /// So many processes are wanted.
    Want(usize),
    /// The proxy has something to do with the process that comes from there, or listens there.
    Met(IpAddr, Meeting),
    /// These pods are there, with all the addresses that each of them has.
    Pods(BTreeMap<PodUid, Vec<IpAddr>>),
    /// The container of a pod has ended.
    Ended(PodUid, ReplicaExit),
    /// No other pod will run soon, for this reason, or for none that is known.
    Hindered(Option<String>),
}
