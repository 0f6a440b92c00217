//! Maven in a company whose proxy ends TLS: a real Maven, which knows of the proxy and of its authority
//! by the variables that every other tool is told of them by.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::Workplace;
use selvedge_buildpack::source::Source;

use crate::chaincode::tree;

/// Where Maven wants to go.
const CENTRAL: &str = "repo.maven.apache.org";

const POM: &str = "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\
    <modelVersion>4.0.0</modelVersion>\
    <groupId>example</groupId><artifactId>a</artifactId><version>1</version></project>";

/// A proxy that says it is whoever is asked for, and has nothing.
struct Proxy {
    address: SocketAddr,
    /// Its certificate, as PEM.
    authority: String,
    /// What it was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([CENTRAL.to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        let (tls, asked) = (Arc::new(tls.unwrap()), Arc::<Mutex<Vec<String>>>::default());
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            authority: certificate.pem(),
            asked: Arc::clone(&asked),
        };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, asked) = (Arc::clone(&tls), Arc::clone(&asked));
                // A client that goes away has its end told elsewhere.
                thread::spawn(move || answer(stream, tls, &asked));
            }
        });
        proxy
    }
}

fn answer(
    mut stream: TcpStream,
    tls: Arc<ServerConfig>,
    asked: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let connect = request(&mut stream)?;
    asked.lock().unwrap().push(connect);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let get = request(&mut stream)?;
    asked.lock().unwrap().push(get);
    stream
        .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// The first line of a request, which is read to its end.
fn request(stream: &mut impl Read) -> io::Result<String> {
    // One byte at a time: what follows the request is not the reader's.
    let mut lines = BufReader::with_capacity(1, stream);
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let mut line = String::from("more");
    while !line.trim_end().is_empty() {
        line.clear();
        lines.read_line(&mut line)?;
    }
    Ok(first.trim_end().to_owned())
}

#[test]
fn maven_goes_by_way_of_the_proxy_and_trusts_its_authority() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let proxy = Proxy::start();
    tree(&at("source"), &[("src/pom.xml", POM), ("src/src/main/java/A.java", "class A {}")]);
    for directory in ["output", "home", "own", "authorities"] {
        fs::create_dir(at(directory)).unwrap();
    }
    fs::write(at("authorities/company.pem"), &proxy.authority).unwrap();
    let inherited = ["PATH", "JAVA_HOME"]
        .into_iter()
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    let company = [
        ("HOME".into(), at("home").into()),
        ("HTTPS_PROXY".into(), format!("http://{}", proxy.address).into()),
        ("SSL_CERT_DIR".into(), at("authorities").into()),
    ];
    let toolchain = Language::Java.toolchain(inherited.chain(company), &at("own")).unwrap();
    let source = Source::open(&at("source")).unwrap();
    let recipe = Language::Java.recipe(&source, "", Platform::LinuxAmd64).unwrap();
    let output = at("output");
    let workplace = Workplace { source: source.root(), output: &output };
    recipe.prepare(&toolchain, &workplace).unwrap();

    let mut said = String::new();
    for command in recipe.commands(&toolchain, &workplace) {
        let done = Command::new(&command.program)
            .args(&command.arguments)
            .env_clear()
            .envs(command.environment)
            .current_dir(&command.directory)
            .output()
            .unwrap();
        said += &String::from_utf8_lossy(&[done.stdout, done.stderr].concat());
    }
    let asked = proxy.asked.lock().unwrap();
    let has = |line: &str| asked.iter().any(|asked| asked.starts_with(line));
    assert!(has(&format!("CONNECT {CENTRAL}:443 ")), "{asked:?}\n{said}");
    assert!(has("GET /maven2/org/apache/maven/plugins/"), "{asked:?}\n{said}");
}
