//! Dials a replica that listens, until it is not to be dialled any more.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::either::Either;
use tracing::debug;

use crate::arrival::Arrival;
use crate::client::{self, ClientTls, Socket};
use crate::credentials::{CredentialsError, ReplicaAuthority};
use crate::identity::{Credential, Identity, Origin, SERVER_NAME};
use crate::pongs::LatePongs;
use crate::replica::Place;
use crate::replica_http::{Connected, ReplicaHttp};
use crate::replica_listener::{HANDSHAKE, HEADERS};
use crate::stream::{Body, Outbound};
use crate::tether::{Fate, TetherEnd, Unregistered, tether};
use crate::transport::{self, CONNECT, NARROW_WINDOW};

/// The delay before a replica is dialled again; it doubles. Short: its process is about to listen.
const FIRST: Duration = Duration::from_millis(20);

/// The longest delay for one that is not there.
const LONGEST: Duration = Duration::from_secs(1);

/// The longest delay for one that is there and does what it must not.
const LONGEST_FAILED: Duration = Duration::from_secs(5);

/// A replica that was registered for this long is dialled at once when it is lost.
const LASTING: Duration = Duration::from_secs(5);

/// A replica that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// What it has to show, which is the certificate of its set. Without TLS it shows nothing: then
    /// this is what it is known by, of its set's alone.
    pub credential: Credential,
    /// How it is spoken to.
    pub security: Security,
}

/// Whether a replica that listens does so with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// With certificates on both sides.
    Tls,
    /// Without: whoever has its address is taken for it, and whoever reaches it for the proxy.
    Plain,
}

/// What replicas are dialled with.
pub(crate) struct Dialler {
    tls: ClientTls,
    /// After how long it is told that one is not there.
    patience: Duration,
}

/// Why there is no registered replica.
enum Failure {
    /// It is not there, or not yet.
    Unreached(String),
    /// It is there, and is none.
    Failed(String),
    /// It was registered, or all that there is to say of it was said.
    Known,
}

impl Dialler {
    pub(crate) fn new(
        authority: &ReplicaAuthority,
        patience: Duration,
    ) -> Result<Self, CredentialsError> {
        let name = ServerName::try_from(SERVER_NAME).expect("it is a DNS name");
        Ok(Self { tls: ClientTls::new(authority.client_config()?, name), patience })
    }

    /// Dials for as long as someone takes what comes of it from here.
    pub(crate) async fn dial(self: Arc<Self>, target: Target, arrivals: mpsc::Sender<Arrival>) {
        let (mut delay, mut story) = (FIRST, Story::default());
        loop {
            let begun = Instant::now();
            let attempt = timeout(HANDSHAKE, self.connect(target)).await;
            let failure = match attempt.unwrap_or_else(|late| Err(unreached(&late))) {
                Ok((connected, end)) => {
                    if arrivals.send(Arrival::Connected(connected)).await.is_err() {
                        return;
                    }
                    lost(end.end().await)
                }
                Err(failure) => failure,
            };
            let longest = match &failure {
                Failure::Unreached(reason) => {
                    debug!(address = %target.address, reason, "no connection with a replica");
                    LONGEST
                }
                Failure::Known if begun.elapsed() >= LASTING => {
                    delay = FIRST;
                    LONGEST
                }
                Failure::Failed(_) | Failure::Known => LONGEST_FAILED,
            };
            if let Some(arrival) = story.goes_on(failure, target, self.patience)
                && arrivals.send(arrival).await.is_err()
            {
                return;
            }
            sleep(delay.min(longest)).await;
            delay = (delay * 2).min(longest);
        }
    }

    async fn connect(&self, target: Target) -> Result<(Connected, TetherEnd), Failure> {
        let Target { address, credential, security } = target;
        let tls = match security {
            Security::Tls => Some(&self.tls),
            Security::Plain => None,
        };
        let socket = client::connect(address, tls).await.map_err(|error| refused(&error))?;
        let shown = shown(&socket, credential);
        let Some(identity) = shown.filter(|identity| identity.credential == credential) else {
            return Err(Failure::Failed("its certificate is not that of its set".to_owned()));
        };
        let broken = |error: h2::Error| Failure::Unreached(transport::broken(&error));
        let (mut requests, http) = h2::client::Builder::new()
            .initial_window_size(NARROW_WINDOW)
            .initial_connection_window_size(NARROW_WINDOW)
            .max_header_list_size(HEADERS)
            .enable_push(false)
            .handshake(LatePongs::new(socket))
            .await
            .map_err(broken)?;
        poll_fn(|cx| requests.poll_ready(cx)).await.map_err(broken)?;
        let method = client::method(&address.to_string(), tls, CONNECT);
        let call = client::call(method.expect("an address and a path make a URI"));
        let (answer, outbound) = requests.send_request(call, false).map_err(broken)?;
        let stream = (Body::from(answer), Outbound::of_client(outbound));
        let (near, far) = tether();
        let http = ReplicaHttp::dialled(http, stream, near);
        Ok((Connected { http, address: Some(address), identity }, far))
    }
}

/// What a server has shown; without TLS, what it is taken for. Its address tells it from the others
/// of its set.
fn shown(socket: &Socket, taken_for: Credential) -> Option<Identity> {
    let Either::Right(tls) = socket else {
        return Some(Identity { credential: taken_for, seat: None });
    };
    Identity::of(tls.get_ref().1.peer_certificates()?.first()?)
}

/// Why there is no connection: one with whom TLS cannot be agreed on is there.
fn refused(error: &io::Error) -> Failure {
    let of_tls = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match of_tls {
        None => unreached(error),
        // Whatever a server without TLS says at first.
        Some(rustls::Error::InvalidMessage(_)) => {
            Failure::Failed(format!("it listens without TLS: {}", transport::chain(error)))
        }
        Some(_) => Failure::Failed(transport::chain(error)),
    }
}

fn unreached(error: &dyn Error) -> Failure {
    Failure::Unreached(transport::chain(error))
}

/// What a connection's end means.
fn lost(fate: Fate) -> Failure {
    match fate {
        Fate::Open | Fate::Registered => Failure::Known,
        Fate::Unregistered(Unregistered::Ended(reason)) => Failure::Unreached(reason),
        Fate::Unregistered(Unregistered::Failed(reason)) => Failure::Failed(reason),
    }
}

/// What is told of one target: each thing once, until something else has happened.
#[derive(Default)]
struct Story {
    /// Since when it is not there.
    absent_since: Option<Instant>,
    told: Option<String>,
}

impl Story {
    fn goes_on(&mut self, next: Failure, target: Target, patience: Duration) -> Option<Arrival> {
        let Target { address, credential, .. } = target;
        match next {
            Failure::Known => {
                *self = Self::default();
                None
            }
            Failure::Failed(reason) => {
                self.absent_since = None;
                let is_told = self.told.replace(reason.clone()).as_ref() == Some(&reason);
                let reason = format!("{reason} (at {address})");
                let origin = Origin::from(address.ip()).canonical();
                let place = Place { origin, credential };
                (!is_told).then_some(Arrival::Failed { place, reason })
            }
            Failure::Unreached(reason) => {
                let since = *self.absent_since.get_or_insert_with(Instant::now);
                // Whatever keeps it away from now on: it may be this and that in turn.
                if self.told.is_some() || since.elapsed() < patience {
                    return None;
                }
                self.told = Some(reason.clone());
                Some(Arrival::Unreached { address, credential, reason })
            }
        }
    }
}
