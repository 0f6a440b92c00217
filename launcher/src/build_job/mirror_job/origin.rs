//! The repository itself: asked for files, and for what it says of their content.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use netrc_rs::{Machine, Netrc};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, Url};
use selvedge_buildpack::recipe::{CHECKSUM, RepositoryPath};

use crate::error_chain::one_line;

/// How long it may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long it may say nothing in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(30);

/// How often it may send who asks on to another place.
const HOPS: usize = 5;

/// The most of a checksum that is read, in bytes.
const CHECKSUM_LIMIT: usize = 1 << 10;

/// Why the repository cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OriginError {
    #[error("`{0}` is no address of a repository: https://HOST/PATH is expected")]
    Address(String),
    #[error("cannot read {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} has no sound certificates")]
    Certificates { path: PathBuf, source: reqwest::Error },
    #[error("cannot read the .netrc of the Secret of builds.credentials")]
    Netrc,
    #[error("cannot set up the client for the repository")]
    Client(#[source] reqwest::Error),
}

/// A repository that is asked.
pub(super) struct Origin {
    client: Client,
    address: Url,
    who: Option<Machine>,
}

/// What it answers.
pub(super) enum Answer {
    /// The file.
    File(Response),
    /// There is none, or not for who asks.
    None(StatusCode),
    /// None that is of use: why, in a line.
    Useless(String),
}

impl Origin {
    /// Asks nothing yet.
    pub(super) fn new(
        address: &str,
        authorities: Option<&Path>,
        credentials: Option<&Path>,
    ) -> Result<Self, OriginError> {
        let no_address = || OriginError::Address(address.to_owned());
        let address: Url = address.trim_end_matches('/').parse().map_err(|_| no_address())?;
        let is_secure = match address.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(no_address()),
        };
        if address.query().is_some() || address.fragment().is_some() {
            return Err(no_address());
        }
        let sent_on = Policy::custom(move |attempt| {
            if attempt.previous().len() > HOPS {
                attempt.error("it sends on and on")
            } else if is_secure && attempt.url().scheme() != "https" {
                attempt.error("it sends on to where everybody may read along")
            } else {
                attempt.follow()
            }
        });
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(sent_on)
            .user_agent(concat!("selvedge/", env!("CARGO_PKG_VERSION")))
            .tls_certs_merge(trusted(authorities)?)
            .build()
            .map_err(OriginError::Client)?;
        // They are not for those who read along.
        let who = credentials.filter(|_| is_secure).map(|place| known(place, &address));
        Ok(Self { client, address, who: who.transpose()?.flatten() })
    }

    /// Its address.
    pub(super) fn address(&self) -> &str {
        self.address.as_str()
    }

    /// Asks for a file.
    pub(super) async fn ask(&self, method: Method, path: &RepositoryPath) -> Answer {
        let host = self.address.host_str().unwrap_or_default();
        match self.send(method, &path.to_string()).await {
            Ok(response) => match response.status() {
                StatusCode::OK => Answer::File(response),
                StatusCode::GONE => Answer::None(StatusCode::NOT_FOUND),
                status @ (StatusCode::NOT_FOUND
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN) => Answer::None(status),
                status => Answer::Useless(format!("{host} answers {status}")),
            },
            Err(error) => {
                let reason = one_line(&error.without_url());
                Answer::Useless(format!("{host} cannot be asked: {reason}"))
            }
        }
    }

    /// The SHA-1 that it says a file has, in lower-case hexadecimal digits; none if it does not.
    pub(super) async fn checksum(&self, path: &RepositoryPath) -> Option<String> {
        let mut response = self.send(Method::GET, &format!("{path}{CHECKSUM}")).await.ok()?;
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.ok()? {
            text.extend_from_slice(&piece);
            if text.len() > CHECKSUM_LIMIT {
                return None;
            }
        }
        let is_found = response.status() == StatusCode::OK;
        is_found.then(|| sha1_in(&String::from_utf8_lossy(&text))).flatten()
    }

    async fn send(&self, method: Method, path: &str) -> reqwest::Result<Response> {
        let mut address = self.address.clone();
        if let Ok(mut names) = address.path_segments_mut() {
            names.pop_if_empty().extend(path.split('/'));
        }
        let mut request = self.client.request(method, address);
        if let Some(Machine { login: Some(login), password, .. }) = &self.who {
            request = request.basic_auth(login, password.as_ref());
        }
        request.send().await
    }
}

/// The SHA-1 in such a text: most are alone, some have a name before or behind.
fn sha1_in(text: &str) -> Option<String> {
    let is_sum =
        |word: &&str| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_whitespace().find(is_sum).map(str::to_ascii_lowercase)
}

/// The certificates of a directory's files: those of a ConfigMap, whose directories are its own.
fn trusted(authorities: Option<&Path>) -> Result<Vec<Certificate>, OriginError> {
    let Some(directory) = authorities else { return Ok(Vec::new()) };
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| OriginError::File { path, source }
    };
    let mut certificates = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.is_file() {
            let text = fs::read(&path).map_err(unreadable(&path))?;
            let found = Certificate::from_pem_bundle(&text);
            let malformed = |source| OriginError::Certificates { path, source };
            certificates.extend(found.map_err(malformed)?);
        }
    }
    Ok(certificates)
}

/// Who is asking, if the repository knows somebody.
fn known(credentials: &Path, address: &Url) -> Result<Option<Machine>, OriginError> {
    let path = credentials.join(".netrc");
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path);
    let text = text.map_err(|source| OriginError::File { path, source })?;
    // What is wrong with it may have a password in it.
    let known = Netrc::parse(text, true).map_err(|_| OriginError::Netrc)?.machines;
    let host = address.host_str().unwrap_or_default();
    let with_port = address.port().map(|port| format!("{host}:{port}"));
    let of = |name: &str| known.iter().find(|known| known.name.as_deref() == Some(name)).cloned();
    Ok(with_port.and_then(|name| of(&name)).or_else(|| of(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    #[test]
    fn a_checksum_in_its_forms() {
        for text in [
            SUM.to_owned(),
            format!("{}\n", SUM.to_uppercase()),
            format!("{SUM}  a-1.0.jar\n"),
            format!("SHA1(a-1.0.jar)= {SUM}"),
        ] {
            assert_eq!(sha1_in(&text).unwrap(), SUM, "{text}");
        }
        assert_eq!(sha1_in("<html>not found</html>"), None);
        assert_eq!(sha1_in(&SUM[1..]), None);
    }

    #[test]
    fn what_is_no_repository() {
        for address in ["", "repo.example", "ftp://repo.example", "https://r.example/?a=b"] {
            let refused = Origin::new(address, None, None).err().unwrap();
            assert!(matches!(refused, OriginError::Address(_)), "{address}");
        }
    }

    #[test]
    fn who_asks() {
        let place = tempfile::tempdir().unwrap();
        let text =
            "machine r.example login a password b\nmachine r.example:8443 login c password d\n";
        fs::write(place.path().join(".netrc"), text).unwrap();
        let login = |address: &str| {
            let address = address.parse().unwrap();
            known(place.path(), &address).unwrap().and_then(|known| known.login)
        };
        assert_eq!(login("https://r.example/maven").unwrap(), "a");
        assert_eq!(login("https://r.example:8443/maven").unwrap(), "c");
        assert_eq!(login("https://other.example/maven"), None);
        crate::tls::choose_provider();
        let who = |address: &str| Origin::new(address, None, Some(place.path())).unwrap().who;
        assert!(who("https://r.example").is_some() && who("http://r.example").is_none());
    }
}
