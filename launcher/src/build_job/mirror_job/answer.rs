//! What a build is answered that asks for a file.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::recipe::{Content, Mirror, RepositoryPath};

use super::account::Account;
use super::ahead::brought;
use super::keep::{Coming, Keep};
use super::origin::{Answer, Origin};
use crate::doorway::{self, said};

/// Where it is told what was brought; no file of a repository is there.
pub(crate) const ACCOUNT: &str = "/-/account";

/// Where a build, before it runs anything, says its needs, of which the digits follow, and is brought what
/// others of those asked for; and where it says that it has done well.
pub(crate) const NEEDS: &str = "/-/needs/";

/// The longest reason, in characters.
const LONGEST_REASON: usize = 300;

/// A mirror at work.
pub(super) struct Mirroring {
    mirror: &'static dyn Mirror,
    origin: Origin,
    keep: Option<Arc<Keep>>,
    account: Arc<Account>,
}

type Reply = Response<doorway::Content>;

impl Mirroring {
    pub(super) fn new(
        mirror: &'static dyn Mirror,
        origin: Origin,
        keep: Option<Arc<Keep>>,
    ) -> Self {
        Self { mirror, origin, keep, account: Arc::default() }
    }

    /// Answers a request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let (method, address) = (request.method(), request.uri());
        if let Some(digits) = address.path().strip_prefix(NEEDS) {
            return self.needs(method, digits);
        }
        if ![Method::GET, Method::HEAD].contains(method) {
            return said(StatusCode::METHOD_NOT_ALLOWED, "files are read here, and not written");
        }
        if address.path() == ACCOUNT {
            return said(StatusCode::OK, &self.account.of(self.origin.address()));
        }
        let is_plain = address.authority().is_none() && address.query().is_none();
        let Some(path) = RepositoryPath::parse(address.path()).filter(|_| is_plain) else {
            return said(StatusCode::BAD_REQUEST, "that is no path of a repository's file");
        };
        self.file(method, &path).await.unwrap_or_else(|error| useless(&error.to_string()))
    }

    /// Answers what has to do with the build's needs.
    fn needs(&self, method: &Method, digits: &str) -> Reply {
        let Some(keep) = self.keep.clone() else {
            return said(StatusCode::NOT_FOUND, "nothing is kept");
        };
        if method == Method::POST {
            return match keep.needs.note() {
                Ok(()) => said(StatusCode::OK, "noted"),
                Err(error) => useless(&error.to_string()),
            };
        }
        let said_needs = Sha256::from_hex(digits).ok().and_then(|needs| keep.needs.say(needs));
        match said_needs {
            Some(files) => brought(keep, files, Arc::clone(&self.account)),
            None => said(StatusCode::CONFLICT, "the needs are said once, as a SHA-256"),
        }
    }

    async fn file(&self, method: &Method, path: &RepositoryPath) -> io::Result<Reply> {
        let content = self.mirror.content(path);
        if let Some(held) = self.held(&content, path).await {
            return held;
        }
        let mut response = match self.origin.ask(method.clone(), path).await {
            Answer::File(response) => response,
            Answer::None(status) => {
                self.account.fetched.add(0);
                return Ok(said(status, "the repository has none"));
            }
            Answer::Useless(reason) => return Ok(useless(&reason)),
        };
        self.account.fetched.add(response.content_length().unwrap_or_default());
        if method == Method::GET
            && content == Content::Lasting
            && let (Some(keep), Some(length)) = (&self.keep, response.content_length())
            && let Some(coming) = keep.expect(length).await
        {
            return self.take(path, &mut response, coming).await;
        }
        Ok(passed_on(response))
    }

    /// What is kept of it.
    async fn held(&self, content: &Content, path: &RepositoryPath) -> Option<io::Result<Reply>> {
        let keep = self.keep.as_ref()?;
        match content {
            Content::Lasting => {
                let file = keep.find(path).await?;
                keep.needs.ask(path);
                let length = file.metadata().map(|metadata| metadata.len());
                self.account.held.add(length.unwrap_or_default());
                Some(doorway::file(file.into(), || Ok(())).await)
            }
            Content::ChecksumOf(of) => Some(Ok(said(StatusCode::OK, &keep.checksum(of).await?))),
            Content::Passing => None,
        }
    }

    /// Takes a file, and keeps it if the repository says that it is that. It is the build's in any
    /// case, which would have had it without a mirror, and asks for the checksum itself.
    async fn take(
        &self,
        path: &RepositoryPath,
        response: &mut reqwest::Response,
        mut coming: Coming,
    ) -> io::Result<Reply> {
        let fetching = async {
            while let Some(piece) = response.chunk().await.map_err(io::Error::other)? {
                coming.write(&piece).await?;
            }
            io::Result::Ok(coming)
        };
        let (coming, checksum) = tokio::join!(fetching, self.origin.checksum(path));
        let (file, is_kept) = coming?.finish(path, checksum.as_deref()).await?;
        let length = file.metadata()?.len();
        if is_kept {
            if let Some(keep) = &self.keep {
                keep.needs.ask(path);
            }
            self.account.taken.add(length);
        }
        doorway::file(file.into(), || Ok(())).await
    }
}

/// A file as it comes.
fn passed_on(response: reqwest::Response) -> Reply {
    let length = response.headers().get(CONTENT_LENGTH).cloned();
    let body = http::Response::<reqwest::Body>::from(response).into_body();
    let mut reply = Response::new(body.map_err(io::Error::other).boxed());
    if let Some(length) = length {
        reply.headers_mut().insert(CONTENT_LENGTH, length);
    }
    reply
}

/// That there is nothing, and why: tools show of an answer the phrase behind its status.
fn useless(reason: &str) -> Reply {
    let reason: String = reason
        .chars()
        .map(|character| if character.is_ascii_graphic() { character } else { ' ' })
        .take(LONGEST_REASON)
        .collect();
    let mut reply = said(StatusCode::BAD_GATEWAY, &reason);
    if let Ok(phrase) = ReasonPhrase::try_from(Bytes::from(reason)) {
        reply.extensions_mut().insert(phrase);
    }
    reply
}
