//! The service that replicas register with, in the peer's place.

use std::convert::Infallible;
use std::future::Ready;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tower::Service;
use tracing::debug;

use crate::codec::FrameCodec;
use crate::credentials::{CredentialsError, ReplicaAuthority, names_package};
use crate::frame::Frame;
use crate::limits::Limits;
use crate::pongs::Traffic;
use crate::replica_listener::{self, Remote};
use crate::switch::{ReplicaId, ReplicaLink, replica_queue};
use crate::transport;

const REGISTER: &str = "/protos.ChaincodeSupport/Register";

/// A replica that does not answer a ping for this long is taken for dead: its
/// node may be gone without a word.
const PING: Duration = Duration::from_secs(10);

/// What a replica's stream brings.
pub(crate) enum ReplicaInput {
    /// No first message, and why.
    NeverRegisters(String),
    /// Its first message.
    Registers(ReplicaLink, Frame),
    /// Any further one.
    Says(Frame),
    /// It has ended.
    Gone(String),
}

/// Where the streams' messages go.
pub(crate) type Inputs = mpsc::Sender<(ReplicaId, ReplicaInput)>;

/// TLS with the proxy's identity, for replicas of its authority only.
pub(crate) fn tls(authority: &ReplicaAuthority) -> Result<TlsAcceptor, CredentialsError> {
    Ok(TlsAcceptor::from(Arc::new(authority.server_config()?)))
}

/// Serves replicas on the listener until dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    traffic: Traffic,
    package_id: &str,
    limits: Limits,
    inputs: Inputs,
) -> Result<(), tonic::transport::Error> {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
    let service =
        ReplicaService { inputs, package_id: package_id.into(), next: Arc::default(), limits };
    let (accepted, connections) = mpsc::channel(1);
    let serving = Server::builder()
        .initial_stream_window_size(transport::WINDOW)
        .initial_connection_window_size(transport::WINDOW)
        .max_concurrent_streams(Some(4))
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING))
        .serve_with_incoming(service, ReceiverStream::new(connections));
    tokio::select! {
        () = replica_listener::accept(listener, tls, traffic, accepted) => Ok(()),
        served = serving => served,
    }
}

/// `protos.ChaincodeSupport`, whose one method is a stream of frames.
#[derive(Clone)]
struct ReplicaService {
    inputs: Inputs,
    package_id: Arc<str>,
    next: Arc<AtomicU64>,
    limits: Limits,
}

impl NamedService for ReplicaService {
    const NAME: &'static str = "protos.ChaincodeSupport";
}

impl Service<http::Request<Body>> for ReplicaService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != REGISTER {
            let answer = Status::unimplemented("only chaincode registers here").into_http();
            return Box::pin(std::future::ready(Ok(answer)));
        }
        let handler = RegisterHandler(self.clone());
        let mut grpc = Grpc::new(FrameCodec)
            .max_decoding_message_size(self.limits.message)
            .max_encoding_message_size(self.limits.message);
        Box::pin(async move { Ok(grpc.streaming(handler, request).await) })
    }
}

/// `Register`: a replica's stream.
struct RegisterHandler(ReplicaService);

impl Service<Request<Streaming<Frame>>> for RegisterHandler {
    type Response = Response<ReceiverStream<Result<Frame, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Frame>>) -> Self::Future {
        std::future::ready(self.0.accept(request))
    }
}

impl ReplicaService {
    fn accept(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<ReceiverStream<Result<Frame, Status>>>, Status> {
        let remote: Option<&Remote> = request.extensions().get();
        let certificate = remote.and_then(|remote| remote.certificate.as_deref());
        if !certificate.is_some_and(|leaf| names_package(leaf, &self.package_id)) {
            return Err(Status::unauthenticated("the certificate is not for this chaincode"));
        }
        let replica = self.next.fetch_add(1, Ordering::Relaxed);
        debug!(replica, address = ?remote.and_then(|remote| remote.address), "replica connected");
        let (outbound, queue) = mpsc::channel(replica_queue(&self.limits));
        let inputs = self.inputs.clone();
        let first_message = self.limits.first_message;
        tokio::spawn(async move {
            let inbound = request.into_inner();
            read(replica, inbound, outbound, first_message, &inputs).await;
        });
        Ok(Response::new(ReceiverStream::new(queue)))
    }
}

/// Passes on what a replica sends until its stream ends or it is cut off.
async fn read(
    replica: ReplicaId,
    mut inbound: Streaming<Frame>,
    outbound: mpsc::Sender<Result<Frame, Status>>,
    first_message: Duration,
    inputs: &Inputs,
) {
    let first = match timeout(first_message, inbound.message()).await {
        Ok(Ok(Some(first))) => first,
        nothing => {
            let reason = match nothing {
                Err(_) => format!("it sent nothing for {} s", first_message.as_secs_f32()),
                Ok(Err(status)) => transport::describe(&status),
                Ok(Ok(_)) => "it closed its stream".to_owned(),
            };
            let _ = outbound.try_send(Err(Status::failed_precondition(reason.clone())));
            let _ = inputs.send((replica, ReplicaInput::NeverRegisters(reason))).await;
            return;
        }
    };
    let (cut, mut is_cut) = oneshot::channel();
    let link = ReplicaLink { outbound, cut };
    if inputs.send((replica, ReplicaInput::Registers(link, first))).await.is_err() {
        return;
    }
    let end = loop {
        let message = tokio::select! {
            biased;
            _ = &mut is_cut => return,
            message = inbound.message() => message,
        };
        match message {
            Ok(Some(frame)) => {
                if inputs.send((replica, ReplicaInput::Says(frame))).await.is_err() {
                    return;
                }
            }
            Ok(None) => break "it closed its stream".to_owned(),
            Err(status) => break transport::describe(&status),
        }
    };
    // Nobody left to tell is the end of the proxy itself.
    let _ = inputs.send((replica, ReplicaInput::Gone(end))).await;
}
