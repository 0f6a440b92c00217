//! A server of Go modules, Git repositories and npm packages that wants a password: over HTTPS, as
//! Go's credentials go nowhere else, and over plain HTTP.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Who may fetch.
pub(crate) const USER: &str = "builder";

/// Nothing else has such a text in it.
pub(crate) const PASSWORD: &str = "open-sesame-4f1c09";

/// How long a client may say nothing.
const SILENCE: Duration = Duration::from_secs(10);

/// The files by their paths.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The server. It ends with the process.
pub(crate) struct Guarded {
    /// Where it speaks TLS.
    pub(crate) https: SocketAddr,
    /// Where it does not.
    pub(crate) http: SocketAddr,
    /// The certificate, as PEM.
    pub(crate) authority: String,
}

impl Guarded {
    /// Serves at an address: over HTTPS at the port that the name of a Go module cannot tell, over
    /// HTTP at a free one.
    pub(crate) fn start(address: Ipv4Addr, files: Files) -> Self {
        let [https, http] = [443, 0].map(|port| TcpListener::bind((address, port)).unwrap());
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(address))];
        let certificate = parameters.self_signed(&key).unwrap();
        let tls = tls(certificate.der().clone(), key.serialize_der());
        let guarded = Self {
            https: https.local_addr().unwrap(),
            http: http.local_addr().unwrap(),
            authority: certificate.pem(),
        };
        let files = Arc::new(files);
        let plain = Arc::clone(&files);
        serve(http, move |stream| answer(stream, &plain));
        serve(https, move |stream| {
            let connection = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            answer(&mut stream, &files)?;
            stream.conn.send_close_notify();
            stream.flush()
        });
        guarded
    }
}

fn tls(certificate: CertificateDer<'static>, key: Vec<u8>) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key).unwrap();
    let provider = Arc::new(ring::default_provider());
    let versions =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

fn serve(
    listener: TcpListener,
    answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(SILENCE));
                // A client that goes away has its end told elsewhere.
                let _ = answer(stream);
            });
        }
    });
}

/// Answers one request.
fn answer(mut stream: impl Read + Write, files: &Files) -> io::Result<()> {
    let (mut path, mut is_known) = (String::new(), false);
    let mut lines = BufReader::new(&mut stream);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("GET ") {
            rest.split([' ', '?']).next().unwrap_or_default().clone_into(&mut path);
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            is_known = knows(value);
        }
        if line.is_empty() {
            break;
        }
    }
    let (status, body) = match files.get(&path) {
        _ if !is_known => ("401 Unauthorized", &b"who are you?"[..]),
        Some(file) => ("200 OK", &file[..]),
        None => ("404 Not Found", &b"there is none"[..]),
    };
    let length = body.len();
    // Git says who it is once it was asked.
    let head = "WWW-Authenticate: Basic realm=\"guarded\"\r\nConnection: close";
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{head}\r\n\r\n")?;
    stream.write_all(body)?;
    stream.flush()
}

fn knows(authorization: &str) -> bool {
    let basic = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    authorization == format!("Basic {basic}") || authorization == format!("Bearer {PASSWORD}")
}
