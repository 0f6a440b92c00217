//! The launcher: where it is, how it is reached, and what may be wrong with it.

use std::{
    env,
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::http::{Request, Uri, header::CONTENT_TYPE};
use selvedge_proto::launcher::launcher_client::LauncherClient;
use tokio::{
    net::UnixStream,
    time::{self, Instant},
};
use tonic::{Code, Response, Status, body::Body, codegen::Service as _};

use crate::{caller::Caller, connection::Connection};

/// The environment variable that names the launcher's address.
pub const VARIABLE: &str = "SELVEDGE_LAUNCHER";

/// Where the launcher is unless the variable says otherwise.
pub const DEFAULT: &str = "unix:/run/selvedge/launcher.sock";

/// How often to look for a launcher that is not there yet.
const LOOK: Duration = Duration::from_millis(50);

/// How long what listens on the socket may take to give a first answer.
const GREETING: Duration = Duration::from_secs(5);

/// A text that names no launcher.
#[derive(Debug, thiserror::Error)]
#[error("expected unix: and the absolute path of the launcher's socket, such as {DEFAULT}")]
pub struct NoAddress;

/// Why the launcher does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// The environment names no address.
    #[error(
        "{VARIABLE} is {0:?}, which is no address of a launcher: it must be unix: and the absolute path of its socket, such as {DEFAULT}"
    )]
    Address(String),
    /// There is no such socket, or nobody listens on it.
    #[error("no launcher at {address}: start selvedge-launcher, or {way}", way = address.caller.address())]
    Absent {
        /// The address tried.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The socket is not for this user.
    #[error("not allowed to connect to the launcher at {address}: {way}", way = address.caller.admission())]
    Denied {
        /// The address tried.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// What listens there does not speak gRPC.
    #[error("what listens at {address} is no Selvedge launcher: {way}", way = address.caller.address())]
    Stranger {
        /// The address tried.
        address: Address,
        /// What it did.
        source: Cause,
    },
    /// It accepts the connection and says nothing.
    #[error("the launcher at {0} does not answer: it took the connection and was silent for {seconds} s", seconds = GREETING.as_secs())]
    Mute(Address),
    /// It speaks gRPC, but does not know what it was asked for.
    #[error("the launcher at {address} is of another version: {unknown}", unknown = address.caller.unknown())]
    Version {
        /// The address tried.
        address: Address,
    },
    /// The connection broke.
    #[error("the launcher at {address} went away")]
    Lost {
        /// The address tried.
        address: Address,
        /// How it showed.
        source: Cause,
    },
    /// It answered that it could not, and why.
    #[error("{0}")]
    Refused(String),
}

type Cause = Box<dyn Error + Send + Sync>;

/// A launcher's address, the path of its unix socket, and who calls there.
#[derive(Clone, Debug)]
pub struct Address {
    path: PathBuf,
    caller: Caller,
}

impl Address {
    /// The address from the environment, or the default one. An empty variable is as good as none,
    /// as it is to the launcher.
    pub fn from_environment(caller: Caller) -> Result<Self, LauncherError> {
        let named = env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let address = named.map_or(DEFAULT.into(), |value| value.to_string_lossy().into_owned());
        Self::parse(&address, caller).map_err(|_| LauncherError::Address(address))
    }

    /// The address that a text names.
    pub fn parse(address: &str, caller: Caller) -> Result<Self, NoAddress> {
        address
            .strip_prefix("unix:")
            .map(|path| path.strip_prefix("//").unwrap_or(path))
            .filter(|path| Path::new(path).is_absolute())
            .map(|path| Self { path: path.into(), caller })
            .ok_or(NoAddress)
    }

    /// Connects, and hears from what is there that it speaks gRPC.
    pub async fn connect(&self) -> Result<LauncherClient<Connection>, LauncherError> {
        let deadline = Instant::now() + self.caller.patience();
        let connection = loop {
            let socket = self.reach(deadline).await?;
            let greeting = time::timeout(GREETING, self.greet(socket)).await;
            match greeting.map_err(|_| LauncherError::Mute(self.clone()))? {
                // So does one that is ending, which another may follow.
                Err(error) if error.is_hang_up() && Instant::now() < deadline => {
                    time::sleep(LOOK).await;
                }
                greeted => break greeted?,
            }
        };
        // Host and scheme mean nothing on a unix socket, but HTTP/2 wants them.
        let origin = Uri::from_static("http://launcher");
        Ok(LauncherClient::with_origin(connection, origin))
    }

    /// Waits a little for a launcher that is not there yet.
    async fn reach(&self, deadline: Instant) -> Result<UnixStream, LauncherError> {
        loop {
            match UnixStream::connect(&self.path).await {
                Ok(socket) => return Ok(socket),
                Err(error) if is_absence(&error) && Instant::now() < deadline => {
                    time::sleep(LOOK).await;
                }
                Err(source) => return Err(self.unreachable(source)),
            }
        }
    }

    fn unreachable(&self, source: io::Error) -> LauncherError {
        let address = self.clone();
        if source.kind() == io::ErrorKind::PermissionDenied {
            LauncherError::Denied { address, source }
        } else {
            LauncherError::Absent { address, source }
        }
    }

    /// Makes a request for no method, which any gRPC server answers at once: a
    /// call proper may be silent for as long as a build takes.
    async fn greet(&self, socket: UnixStream) -> Result<Connection, LauncherError> {
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
        let answer = time::timeout(GREETING, call);
        let answer = answer.await.map_err(|_| LauncherError::Mute(self.clone()))?;
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

impl LauncherError {
    /// Whether what listens there has closed the connection without a word.
    fn is_hang_up(&self) -> bool {
        let Self::Stranger { source, .. } = self else { return false };
        let causes = std::iter::successors(Some(&**source as &dyn Error), |&it| it.source());
        let mut faults = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
        faults.any(|fault| {
            use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            matches!(fault.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unix:{}", self.path.display())
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

    #[test]
    fn addresses_are_unix_sockets() {
        for address in ["unix:/run/a.sock", "unix:///run/a.sock"] {
            let parsed = Address::parse(address, Caller::Builder).unwrap();
            assert_eq!(parsed.to_string(), "unix:/run/a.sock");
        }
        for address in ["", "unix:", "unix:a.sock", "/run/a.sock", "127.0.0.1:7052"] {
            assert!(Address::parse(address, Caller::Builder).is_err(), "{address}");
        }
    }
}
