//! TLS towards a launcher that is apart from the peer.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, AlertDescription, ClientConfig},
};

use crate::address::Apart;

/// What is read ahead of the first answer, of a few bytes.
const AHEAD: usize = 256;

/// A connection that is secured, and whose other side has let us in.
pub(crate) type Secured = BufReader<TlsStream<TcpStream>>;

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Unsecured {
    /// What listens there is not the launcher that is meant.
    Impostor(rustls::Error),
    /// It refuses the certificate.
    Barred(AlertDescription),
    /// It does not speak TLS, or has gone.
    Broken(io::Error),
}

impl Apart {
    /// Opens a connection to what listens there.
    pub(crate) async fn reach(&self) -> io::Result<TcpStream> {
        let socket = TcpStream::connect((&*self.host, self.port)).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// Speaks TLS on it, with the credentials.
    pub(crate) async fn secure(
        &self,
        socket: TcpStream,
        credentials: ClientConfig,
    ) -> Result<Secured, Unsecured> {
        let connector = TlsConnector::from(Arc::new(credentials));
        let stream = connector.connect(self.name.clone(), socket).await.map_err(Unsecured::of)?;
        // What a server has against a certificate it says when the handshake is over for its client
        // (RFC 8446, 4.4.2.4 and appendix E.1). A launcher speaks first, as any HTTP/2 server may.
        let mut stream = BufReader::with_capacity(AHEAD, stream);
        match stream.fill_buf().await {
            Ok([]) => Err(Unsecured::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(stream),
            Err(error) => Err(Unsecured::of(error)),
        }
    }
}

impl Unsecured {
    fn of(error: io::Error) -> Self {
        let said = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match said {
            Some(rustls::Error::AlertReceived(alert)) => Self::Barred(*alert),
            Some(fault @ rustls::Error::InvalidCertificate(_)) => Self::Impostor(fault.clone()),
            _ => Self::Broken(error),
        }
    }
}
