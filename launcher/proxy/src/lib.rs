//! The shim proxy: one stream to the peer, any number of replicas behind it.
//!
//! A peer keeps one stream per chaincode and takes its loss for the chaincode's
//! death. The proxy alone holds that stream; replicas connect to the proxy, and
//! may come, go and multiply without the peer noticing.
//!
//! The way of a message: `peer_link` or `replica_server` reads a [`Frame`],
//! `switch` decides where it goes, `proxy` moves it there.

mod codec;
mod credentials;
mod event;
mod frame;
mod limits;
mod peer_link;
mod pongs;
mod protocol;
mod proxy;
mod replica_listener;
mod replica_server;
mod switch;
mod transport;
mod violation;

pub use codec::FrameCodec;
pub use credentials::{
    PeerAddress, PeerAddressError, PeerCredentials, ReplicaAuthority, replica_name,
};
pub use event::Event;
pub use frame::{Frame, FrameError, TransactionKey, Type};
pub use limits::Limits;
pub use proxy::{Proxy, ProxyError, ProxySettings};
