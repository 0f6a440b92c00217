//! How the proxy gets its stream to the peer: connection and registration.

use std::future::poll_fn;
use std::io;

use h2::client::SendRequest;
use http::Uri;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::client::{self, ClientTls};
use crate::credentials::{CredentialsError, PeerAddress, PeerCredentials};
use crate::frame::{Frame, Type};
use crate::limits::Limits;
use crate::peer_link::{PeerHttp, PeerLink};
use crate::pongs::LatePongs;
use crate::registration::RegistrationDeadline;
use crate::stream::{End, Inbound, Outbound, Outgoing};
use crate::transport::{self, REGISTER, WINDOW};

/// Why there is no link to the peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerLinkError {
    #[error("the peer's address {address} is no address of a server")]
    Address { address: String, source: http::Error },
    #[error("the credentials that the peer gave cannot be used")]
    Credentials(#[from] CredentialsError),
    #[error("cannot connect to the peer at {address}")]
    Connect { address: String, source: io::Error },
    #[error("cannot connect to the peer at {address}: nothing came of it for {seconds} s")]
    ConnectUnanswered { address: String, seconds: f32 },
    #[error("the peer at {address} closed the connection before the registration: {reason}")]
    Lost { address: String, reason: String },
    #[error("the peer at {address} ended the registration: {reason}")]
    Refused { address: String, reason: String },
    #[error(
        "the peer at {address} did not accept the registration within {seconds} s (it accepts one only while it launches the chaincode)"
    )]
    Unanswered { address: String, seconds: f32 },
    #[error("{0}")]
    TooLate(String),
}

/// A peer to which a chaincode can be linked.
pub(crate) struct PeerEndpoint {
    address: PeerAddress,
    /// Where the chaincode registers.
    register: Uri,
    tls: Option<ClientTls>,
    limits: Limits,
    deadline: RegistrationDeadline,
}

/// A connection on which nothing was asked yet.
pub(crate) struct PeerConnection {
    pub(crate) http: PeerHttp,
    requests: SendRequest<Outgoing>,
}

impl PeerEndpoint {
    pub(crate) fn new(
        address: PeerAddress,
        credentials: Option<&PeerCredentials>,
        limits: Limits,
        deadline: RegistrationDeadline,
    ) -> Result<Self, PeerLinkError> {
        let tls = credentials.map(|credentials| tls(credentials, address.host())).transpose()?;
        let register = client::method(&address.to_string(), tls.as_ref(), REGISTER)
            .map_err(|source| PeerLinkError::Address { address: address.to_string(), source })?;
        Ok(Self { address, register, tls, limits, deadline })
    }

    /// Connects, so that the registration later is one round trip.
    pub(crate) async fn connect(&self) -> Result<PeerConnection, PeerLinkError> {
        let address = || self.address.to_string();
        match timeout(self.limits.registration, self.dial()).await {
            Ok(connected) => {
                connected.map_err(|source| PeerLinkError::Connect { address: address(), source })
            }
            Err(_) => Err(PeerLinkError::ConnectUnanswered {
                address: address(),
                seconds: self.limits.registration.as_secs_f32(),
            }),
        }
    }

    async fn dial(&self) -> io::Result<PeerConnection> {
        let address = (self.address.host(), self.address.port());
        let stream = client::connect(address, self.tls.as_ref()).await?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false)
            .handshake(LatePongs::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(PeerConnection { http: PeerHttp::new(connection), requests })
    }

    /// What the loss of a connection means on which nothing was asked yet.
    pub(crate) fn lost(&self, reason: String) -> PeerLinkError {
        PeerLinkError::Lost { address: self.address.to_string(), reason }
    }

    /// Registers the chaincode and waits for the peer's READY, both within the launch's time.
    pub(crate) async fn register(
        &self,
        connection: PeerConnection,
        package_id: &str,
    ) -> Result<(PeerLink, Frame), PeerLinkError> {
        let left = self.deadline.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(PeerLinkError::TooLate(self.deadline.missed.clone()));
        }
        let limit = left.min(self.limits.registration);
        match timeout(limit, self.handshake(connection, package_id)).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(reason)) => {
                Err(PeerLinkError::Refused { address: self.address.to_string(), reason })
            }
            Err(_) => Err(PeerLinkError::Unanswered {
                address: self.address.to_string(),
                seconds: limit.as_secs_f32(),
            }),
        }
    }

    async fn handshake(
        &self,
        PeerConnection { mut http, mut requests }: PeerConnection,
        package_id: &str,
    ) -> Result<(PeerLink, Frame), String> {
        let describe = |error: h2::Error| transport::broken(&error);
        poll_fn(|cx| requests.poll_ready(cx)).await.map_err(describe)?;
        let request = client::call(self.register.clone());
        let (answer, outbound) = requests.send_request(request, false).map_err(describe)?;
        let mut outbound = Outbound::of_client(outbound);
        outbound.send(&Frame::register(package_id));
        outbound.flush();
        let mut inbound = Inbound::new(answer, self.limits.message);
        expect(&mut http, &mut inbound, Type::Registered).await?;
        let ready = expect(&mut http, &mut inbound, Type::Ready).await?;
        Ok((PeerLink::new(http, inbound, outbound), ready))
    }
}

fn tls(credentials: &PeerCredentials, host: &str) -> Result<ClientTls, CredentialsError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|source| CredentialsError::Host(host.into(), source))?;
    Ok(ClientTls::new(credentials.client_config()?, name))
}

async fn expect(http: &mut PeerHttp, inbound: &mut Inbound, kind: Type) -> Result<Frame, String> {
    let frame = poll_fn(|cx| {
        http.poll(cx);
        http.poll_frame(inbound)
    });
    let frame = match frame.await {
        Ok(frame) if frame.kind() == Some(kind) => return Ok(frame),
        Ok(frame) => frame,
        Err(End::Closed) => return Err("the stream was closed".to_owned()),
        Err(End::Broken(reason) | End::Breach(reason)) => return Err(reason),
    };
    let got = frame.kind().map_or("an unknown type", |kind| kind.as_str_name());
    Err(format!("expected {}, got {got}", kind.as_str_name()))
}
