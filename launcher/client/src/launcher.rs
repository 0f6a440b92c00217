//! The launcher: how it is reached, and what its answers mean.

use std::{env, error::Error, io, time::Duration};

use hyper::http::{Request, Uri, header::CONTENT_TYPE};
use selvedge_proto::launcher::launcher_client::LauncherClient;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::{self, Instant},
};
use tonic::{Code, Response, Status, body::Body, codegen::Service as _};

use crate::{
    address::{Address, Apart, DEFAULT, Place, VARIABLE},
    apart::{Secured, Unsecured},
    caller::{Caller, GREETING},
    connection::Connection,
    error::{Cause, LauncherError},
};

/// How often to look for a launcher that is not there yet.
const LOOK: Duration = Duration::from_millis(50);

impl Address {
    /// The address from the environment, or the default one. An empty variable is as good as none,
    /// as it is to the launcher.
    pub fn from_environment(caller: Caller) -> Result<Self, LauncherError> {
        let named = env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let address = named.map_or(DEFAULT.into(), |value| value.to_string_lossy().into_owned());
        Self::parse(&address, caller).map_err(|_| LauncherError::Address(address))
    }

    /// Connects, and hears from what is there that it speaks gRPC.
    pub async fn connect(&self) -> Result<LauncherClient<Connection>, LauncherError> {
        let deadline = Instant::now() + self.caller.patience();
        let connection = loop {
            let met = match &self.place {
                Place::Beside(path) => {
                    let socket = self.reach(deadline, || UnixStream::connect(path)).await?;
                    self.met(self.greet(socket)).await
                }
                Place::Apart(apart) => {
                    let socket = self.reach(deadline, || apart.reach()).await?;
                    let greeting = async { self.greet(self.secured(apart, socket).await?).await };
                    Box::pin(self.met(greeting)).await
                }
            };
            match met {
                // So does one that is ending, which another may follow.
                Err(error) if error.is_hang_up() && Instant::now() < deadline => {
                    time::sleep(LOOK).await;
                }
                met => break met?,
            }
        };
        // Host and scheme say nothing that the address has not, but HTTP/2 wants them.
        let origin = Uri::from_static("http://launcher");
        Ok(LauncherClient::with_origin(connection, origin))
    }

    /// Waits a little for a launcher that is not there yet.
    async fn reach<S, F: Future<Output = io::Result<S>>>(
        &self,
        deadline: Instant,
        connect: impl Fn() -> F,
    ) -> Result<S, LauncherError> {
        loop {
            let reached = time::timeout(GREETING, connect()).await;
            match reached.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(socket) => return Ok(socket),
                Err(error) if is_absence(&error) && Instant::now() < deadline => {
                    time::sleep(LOOK).await;
                }
                Err(source) => return Err(LauncherError::unreachable(self, source)),
            }
        }
    }

    async fn met(
        &self,
        greeting: impl Future<Output = Result<Connection, LauncherError>>,
    ) -> Result<Connection, LauncherError> {
        let met = time::timeout(GREETING, greeting).await;
        met.unwrap_or_else(|_| Err(LauncherError::Mute(self.clone(), GREETING)))
    }

    /// Proves to each other who is there.
    async fn secured(&self, apart: &Apart, socket: TcpStream) -> Result<Secured, LauncherError> {
        let address = || self.clone();
        let read = apart.credentials.read();
        let read =
            read.map_err(|source| LauncherError::Credentials { address: address(), source })?;
        apart.secure(socket, read).await.map_err(|unsecured| match unsecured {
            Unsecured::Impostor(source) => LauncherError::Impostor { address: address(), source },
            Unsecured::Barred(alert) => LauncherError::Barred { address: address(), alert },
            Unsecured::Broken(error) => {
                LauncherError::Stranger { address: address(), source: error.into() }
            }
        })
    }

    /// Makes a request for no method, which any gRPC server answers at once: a
    /// call proper may be silent for as long as a build takes.
    async fn greet(
        &self,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Connection, LauncherError> {
        let stranger = |source: Cause| LauncherError::Stranger { address: self.clone(), source };
        let mut connection =
            Connection::over(socket).await.map_err(|error| stranger(error.into()))?;
        let request = Request::post("http://launcher/")
            .header(CONTENT_TYPE, "application/grpc")
            .header("te", "trailers")
            .body(Body::empty())
            .map_err(|error| stranger(error.into()))?;
        let answer = connection.call(request).await.map_err(|error| stranger(error.into()))?;
        match answer.headers().get(CONTENT_TYPE) {
            Some(kind) if kind.as_bytes().starts_with(b"application/grpc") => Ok(connection),
            _ => Err(stranger("it answers HTTP, not gRPC".into())),
        }
    }

    /// The answer to a call that is answered at once.
    pub async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, LauncherError> {
        self.answer_within(GREETING, call).await
    }

    /// The answer to a call for which the launcher may take so long.
    pub async fn answer_within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, LauncherError> {
        let answer = time::timeout(limit, call).await;
        let answer = answer.map_err(|_| LauncherError::Mute(self.clone(), limit))?;
        answer.map(Response::into_inner).map_err(|status| self.fault(&status))
    }

    /// What a call's failure means.
    pub fn fault(&self, status: &Status) -> LauncherError {
        let address = self.clone();
        // A status that came over the wire has no cause; one made here does.
        if let Some(cause) = innermost(status) {
            return LauncherError::Lost { address, source: cause.to_string().into() };
        }
        match (status.code(), status.message()) {
            (Code::Unimplemented, _) => LauncherError::Version { address },
            (code, "") => LauncherError::Refused(format!(
                "the launcher at {address} refused without a reason ({code:?})"
            )),
            (_, message) => LauncherError::Refused(message.into()),
        }
    }
}

/// Whether a launcher that starts up would look like this.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::WouldBlock
    )
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source()).last()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;

    use super::{Address, Caller, LauncherError};

    #[tokio::test]
    async fn one_that_hangs_up_may_be_ending_and_another_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let address = format!("unix:{}", path.display());
        let address = Address::parse(&address, Caller::Builder).unwrap();
        let called = tokio::spawn(async move { address.connect().await.map(drop) });
        // What has come is not read: a reset.
        let (first, _) = listener.accept().await.unwrap();
        first.readable().await.unwrap();
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        second.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n").await.unwrap();
        let error = called.await.unwrap().unwrap_err();
        assert!(matches!(error, LauncherError::Stranger { .. }), "{error}");
    }
}
