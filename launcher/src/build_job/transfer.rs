//! The way between a build and its launcher: three requests, each of which is answered once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::{Body, Client, Response};
use selvedge_buildpack::archive::{ArchiveWriter, EntryPath};
use selvedge_buildpack::image::{Layout, LayoutError, sha256};

/// How long the launcher may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The most that the certificates may be, in bytes; all of the world's are a quarter of one.
const CERTIFICATES_LIMIT: u64 = 4 << 20;

/// The most of a refusal that is read, in bytes.
const REFUSAL_LIMIT: u64 = 2 << 10;

/// Why something did not get to or from the launcher. No text has the address: it is a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("cannot reach the launcher for the {what}")]
    Unreachable { what: &'static str, source: reqwest::Error },
    #[error("the launcher did not take the {what} request: {status}: {reason}")]
    Refused { what: &'static str, status: u16, reason: String },
    #[error("the {what} broke off")]
    Broken { what: &'static str, source: io::Error },
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// The launcher, as a build sees it.
pub(super) struct Launcher {
    client: Client,
    url: String,
}

impl Launcher {
    pub(super) fn at(url: &str) -> Result<Self, TransferError> {
        crate::tls::choose_provider();
        let client = Client::builder()
            // The launcher is in the cluster; proxies are for what the compiler fetches.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            // The Job's own limit bounds the rest.
            .timeout(None)
            .build()
            .map_err(unreachable("build's own"))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// The certificates of the image's base.
    pub(super) fn certificates(&self) -> Result<Vec<u8>, TransferError> {
        let mut pem = Vec::new();
        self.get("certificates")?
            .take(CERTIFICATES_LIMIT)
            .read_to_end(&mut pem)
            .map_err(|source| TransferError::Broken { what: "certificates", source })?;
        Ok(pem)
    }

    /// The source's tar, as it comes.
    pub(super) fn source(&self) -> Result<impl Read + use<>, TransferError> {
        self.get("source")
    }

    /// Sends the layout's one image; returns when the registry has it. `scratch` is a file
    /// that is made for it.
    pub(super) fn hand_over(&self, images: &Layout, scratch: &Path) -> Result<(), TransferError> {
        let packed = File::create_new(scratch).map_err(|source| file(scratch, source))?;
        let packed = pack(images, packed)?;
        packed.sync_all().map_err(|source| file(scratch, source))?;
        let size = packed.metadata().map_err(|source| file(scratch, source))?.len();
        let packed = File::open(scratch).map_err(|source| file(scratch, source))?;
        let body = Body::sized(packed, size);
        let answer = self.client.put(format!("{}/image", self.url)).body(body).send();
        accepted("image", answer).map(drop)
    }

    fn get(&self, what: &'static str) -> Result<Response, TransferError> {
        accepted(what, self.client.get(format!("{}/{what}", self.url)).send())
    }
}

fn accepted(
    what: &'static str,
    answer: reqwest::Result<Response>,
) -> Result<Response, TransferError> {
    let answer = answer.map_err(unreachable(what))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let mut reason = Vec::new();
    // Without its reason the status has to do.
    let _ = answer.take(REFUSAL_LIMIT).read_to_end(&mut reason);
    let reason = String::from_utf8_lossy(&reason).into_owned();
    Err(TransferError::Refused { what, status: status.as_u16(), reason })
}

/// The files of a layout that make up its images, as a tar: the form in which it travels.
pub(crate) fn pack<W: io::Write>(images: &Layout, to: W) -> Result<W, TransferError> {
    let mut archive = ArchiveWriter::new(to);
    let mut add = |name: String| {
        let path = images.root().join(&name);
        let entry = EntryPath::parse(name.as_bytes()).expect("a layout's own names are good");
        archive.file_at(&entry, 0o644, &path).map_err(|source| TransferError::File { path, source })
    };
    for image in images.images()? {
        let manifest = images.manifest(&image)?;
        for blob in manifest.layers().iter().chain([manifest.config(), &image]) {
            if let Some(digest) = sha256(blob) {
                add(format!("blobs/sha256/{}", digest.hex()))?;
            }
        }
    }
    add("index.json".to_owned())?;
    add("oci-layout".to_owned())?;
    archive.finish().map_err(|source| file(images.root(), source))
}

fn unreachable(what: &'static str) -> impl FnOnce(reqwest::Error) -> TransferError {
    move |error| TransferError::Unreachable { what, source: error.without_url() }
}

fn file(path: &Path, source: io::Error) -> TransferError {
    TransferError::File { path: path.to_owned(), source }
}
