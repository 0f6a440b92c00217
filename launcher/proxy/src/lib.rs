//! The shim proxy: one stream to the peer, any number of replicas behind it.
//!
//! A peer keeps one stream per chaincode and takes its loss for the chaincode's
//! death. The proxy alone holds that stream; replicas connect to the proxy, or it to
//! them where they listen, and may come, go and multiply without the peer noticing.
//!
//! The way of a message: `stream` finds a [`Frame`] in what HTTP/2 brings,
//! `switch` decides where it goes, and `stream` hands it to HTTP/2 on the other
//! side. All of it happens in one task (`exchange`), which polls what was woken.

mod alarm;
mod arrival;
mod backlog;
mod batch;
mod breaches;
mod budget;
mod client;
mod course;
mod credentials;
mod deframer;
mod dialler;
mod digest;
mod event;
mod excerpt;
mod exchange;
mod exchanged;
mod figures;
mod frame;
mod identity;
mod iterators;
mod journal;
mod keepalive;
mod leavers;
mod limits;
mod memory;
mod notices;
mod on_demand;
mod pace;
mod peer_endpoint;
mod peer_link;
mod pongs;
mod precedence;
mod protocol;
mod proxy;
mod registration;
mod replay;
mod replica;
mod replica_connection;
mod replica_http;
mod replica_listener;
mod replica_stream;
mod replicas;
mod retirement;
mod roster;
mod stream;
mod switch;
mod tether;
mod transaction;
mod transactions;
mod transport;
mod verdict;
mod violation;
mod waiting;
mod wakes;

pub use credentials::{PeerAddress, PeerAddressError, PeerCredentials, ReplicaAuthority};
pub use dialler::{Security, Target};
pub use event::{Event, Fates, Notice};
pub use figures::{BOUNDS, Failure, Figures, Snapshot};
pub use frame::{Frame, FrameError, TransactionKey, Type};
pub use identity::{Credential, Origin, ReplicaPlace, SERVER_NAME, replica_name, seat_name};
pub use limits::Limits;
pub use on_demand::OnDemand;
pub use proxy::{Proxy, ProxyError, ProxySettings};
pub use registration::RegistrationDeadline;
