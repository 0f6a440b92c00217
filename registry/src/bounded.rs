//! A registry that is asked with a bound on each answer, in bytes: who names an image may have a
//! registry that never stops sending. `oci-client` (0.18) reads manifests and tokens whole, however
//! long they are, and has no option for it.

use std::sync::{Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use oci_client::Reference;
use oci_client::secrets::RegistryAuth;
use reqwest::{Client, RequestBuilder, Response, Url};
use selvedge_buildpack::digest::Sha256;
use serde::Deserialize;

use crate::client::{AGENT, CONNECT, SILENCE, choose_provider};

/// The largest manifest, in bytes, that the distribution specification wants registries to take; of
/// what else is read whole, as much.
pub(crate) const MOST: usize = 4 << 20;

/// The largest answer with a token, in bytes: several times what such tokens have.
const MOST_TOKEN: usize = 1 << 20;

/// How much of a complaint is told, in characters.
const MOST_SAID: usize = 300;

/// Why a registry did not answer. Reads on from its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no way to ask.
    #[error("cannot be asked")]
    Client(#[source] reqwest::Error),
    /// It is not there, or hung up.
    #[error("gives no whole answer")]
    Unanswered(#[source] reqwest::Error),
    /// It does not stop.
    #[error("sends more than {0} bytes where there are {1} at most")]
    TooLarge(usize, usize),
    /// It does not know, or does not accept, who asks.
    #[error("does not accept who asks ({0})")]
    Refused(StatusCode),
    /// It complains.
    #[error("answers {0}{1}")]
    Status(StatusCode, String),
    /// Nobody is accepted in this way.
    #[error("wants to know who asks in a way that is none: {0}")]
    Challenge(String),
    /// What it sent is something else than what it was asked for.
    #[error("sends {0} where it was asked for {1}")]
    Other(Sha256, Sha256),
    /// What it sent is not what it should be.
    #[error("sends something else than {0}")]
    Malformed(&'static str, #[source] serde_json::Error),
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A manifest as it lies in a registry.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its digest.
    pub digest: Sha256,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One repository, for who asks.
pub struct Bounded {
    http: Client,
    scheme: &'static str,
    registry: String,
    repository: String,
    auth: RegistryAuth,
    /// What it took for who asks.
    accepted: Mutex<Option<HeaderValue>>,
}

/// The answer of a token server (`docs/spec/auth/token.md` of distribution).
#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: String,
}

impl Bounded {
    /// The repository of an image; asks nothing yet.
    pub fn new(image: &Reference, plain_http: bool, auth: RegistryAuth) -> Result<Self, AskError> {
        choose_provider();
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .user_agent(AGENT)
            .build()
            .map_err(AskError::Client)?;
        Ok(Self {
            http,
            scheme: if plain_http { "http" } else { "https" },
            registry: image.resolve_registry().to_owned(),
            repository: image.repository().to_owned(),
            auth,
            accepted: Mutex::default(),
        })
    }

    /// `HOST[:PORT]`.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The manifest of that tag or digest; none if there is none.
    pub async fn manifest(
        &self,
        name: &str,
        accept: &[&str],
    ) -> Result<Option<Document>, AskError> {
        let accept = accept.join(", ");
        let ask = |request: RequestBuilder| request.header(ACCEPT, &accept);
        let answer = self.ask(Method::GET, &format!("manifests/{name}"), ask, MOST).await?;
        let Some(bytes) = answer.found()? else { return Ok(None) };
        let digest = Sha256::of(&bytes);
        match name.parse() {
            Ok(wanted) if wanted != digest => Err(AskError::Other(digest, wanted)),
            _ => Ok(Some(Document { digest, bytes })),
        }
    }

    /// The blob, of so many bytes at most; none if there is none.
    pub async fn blob(&self, blob: Sha256, most: usize) -> Result<Option<Vec<u8>>, AskError> {
        let path = format!("blobs/{blob}");
        let Some(bytes) = self.ask(Method::GET, &path, |request| request, most).await?.found()?
        else {
            return Ok(None);
        };
        match Sha256::of(&bytes) {
            digest if digest == blob => Ok(Some(bytes)),
            digest => Err(AskError::Other(digest, blob)),
        }
    }

    /// The blob, to be read piece by piece within the bounds of who reads it; none if there is none.
    pub(crate) async fn open_blob(&self, blob: Sha256) -> Result<Option<Response>, AskError> {
        let response = self.send(Method::GET, &format!("blobs/{blob}"), |request| request).await?;
        if response.status() == StatusCode::OK {
            return Ok(Some(response));
        }
        Answer::of(response, MOST).await?.found().map(|_| None)
    }

    /// Puts a manifest there.
    pub(crate) async fn put_manifest(
        &self,
        name: &str,
        media_type: &'static str,
        bytes: &[u8],
    ) -> Result<HeaderMap, AskError> {
        let put =
            |request: RequestBuilder| request.header(CONTENT_TYPE, media_type).body(bytes.to_vec());
        let answer = self.ask(Method::PUT, &format!("manifests/{name}"), put, MOST).await?;
        if answer.status.is_success() { Ok(answer.headers) } else { Err(answer.complaint()) }
    }

    /// Asks, as whom the registry wants to know.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
        most: usize,
    ) -> Result<Answer, AskError> {
        Answer::of(self.send(method, path, with).await?, most).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, AskError> {
        let Self { scheme, registry, repository, .. } = self;
        let url = format!("{scheme}://{registry}/v2/{repository}/{path}");
        let send = || {
            let mut request = with(self.http.request(method.clone(), &url));
            if let Some(accepted) = self.accepted() {
                request = request.header(AUTHORIZATION, accepted);
            }
            request.send()
        };
        let mut response = send().await.map_err(AskError::Unanswered)?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(challenge) = response.headers().get(WWW_AUTHENTICATE)
        {
            let challenge = String::from_utf8_lossy(challenge.as_bytes()).into_owned();
            if let Some(accepted) = self.answer_challenge(&challenge).await? {
                *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepted);
                response = send().await.map_err(AskError::Unanswered)?;
            }
        }
        Ok(response)
    }

    fn accepted(&self) -> Option<HeaderValue> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What says who asks; none if nobody does.
    async fn answer_challenge(&self, text: &str) -> Result<Option<HeaderValue>, AskError> {
        let no_way = || AskError::Challenge(said(text));
        let challenges = http_auth::parse_challenges(text).map_err(|_| no_way())?;
        let of = |scheme| {
            challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme))
        };
        if let RegistryAuth::Bearer(token) = &self.auth {
            return secret(format!("Bearer {token}")).map(Some).ok_or_else(no_way);
        }
        if let Some(challenge) = of("Bearer") {
            let parameter = |name: &str| {
                let mut found = challenge.params.iter();
                let value = found.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
                Some(value.1.to_unescaped())
            };
            let realm = parameter("realm").and_then(|realm| realm.parse().ok());
            let scope = parameter("scope")
                .unwrap_or_else(|| format!("repository:{}:pull", self.repository));
            let query = [("scope", Some(scope)), ("service", parameter("service"))];
            let token = self.token(realm.ok_or_else(no_way)?, query).await?;
            return secret(format!("Bearer {token}")).map(Some).ok_or_else(no_way);
        }
        match (of("Basic"), &self.auth) {
            (Some(_), RegistryAuth::Basic(user, password)) => {
                secret(basic(user, password)).map(Some).ok_or_else(no_way)
            }
            (Some(_), _) => Ok(None),
            (None, _) => Err(no_way()),
        }
    }

    async fn token(
        &self,
        mut realm: Url,
        query: [(&str, Option<String>); 2],
    ) -> Result<String, AskError> {
        for (name, value) in query {
            if let Some(value) = value {
                realm.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut request = self.http.get(realm.clone());
        if let RegistryAuth::Basic(user, password) = &self.auth {
            // In the clear only where all is.
            if realm.scheme() != "https" && self.scheme == "https" {
                return Err(AskError::Challenge(said(realm.as_str())));
            }
            request = request.header(AUTHORIZATION, basic(user, password));
        }
        let response = request.send().await.map_err(AskError::Unanswered)?;
        let answer = Answer::of(response, MOST_TOKEN).await?;
        if !answer.status.is_success() {
            return Err(answer.complaint());
        }
        let token: Token = serde_json::from_slice(&answer.body)
            .map_err(|error| AskError::Malformed("a token", error))?;
        Ok(token.token)
    }
}

impl Answer {
    /// All of it, of so many bytes at most.
    async fn of(response: Response, most: usize) -> Result<Self, AskError> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, body: whole(response, most).await? })
    }

    /// What was asked for; none if that is not there.
    pub(crate) fn found(self) -> Result<Option<Vec<u8>>, AskError> {
        match self.status {
            StatusCode::OK => Ok(Some(self.body)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.complaint()),
        }
    }

    pub(crate) fn complaint(&self) -> AskError {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => AskError::Refused(self.status),
            status => {
                let text = said(&String::from_utf8_lossy(&self.body));
                let text = if text.is_empty() { text } else { format!(": {text}") };
                AskError::Status(status, text)
            }
        }
    }
}

/// All of an answer, which may have so many bytes.
async fn whole(mut response: Response, most: usize) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(AskError::Unanswered)? {
        if body.len() + chunk.len() > most {
            return Err(AskError::TooLarge(body.len() + chunk.len(), most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// As much of a text as is told, fit for a terminal and for one line.
fn said(text: &str) -> String {
    text.trim().chars().flat_map(char::escape_debug).take(MOST_SAID).collect()
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// A header that is shown nowhere.
fn secret(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
