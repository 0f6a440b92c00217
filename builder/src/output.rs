//! The build's output directory: what `build` leaves and `run` and `release` read. That is an image
//! with its source, or the address of a server.
//!
//! The peer keeps it for as long as the chaincode is installed, over restarts of
//! itself and of the launcher, and over releases of Selvedge: hence a version.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

use selvedge_package::{CONNECTION_FILE, ChaincodeType, Server};
use selvedge_proto::launcher::{ChaincodeSource, ImageCommand, ImageReference, Listening};
use serde::{Deserialize, Serialize};

use crate::json::{self, JsonError};

/// What this release writes and reads.
const VERSION: u32 = 1;

/// What may be wrong with the output directory.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file of it.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Something is in it already, which is not ours to overwrite.
    #[error("{path} is not an empty directory: the peer makes one for each build", path = .0.display())]
    NotEmpty(PathBuf),
    /// A file or directory of it.
    #[error("cannot use {path}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to run, and a peer that knows so does not ask.
    #[error(
        "this chaincode is served elsewhere, and there is nothing to run: a peer that has its \
         chaincode/server/{CONNECTION_FILE} dials it instead; bin/release leaves that, so put it \
         beside bin/run, remove {} and restart the peer, which then builds anew",
        .0.parent().unwrap_or(.0).display()
    )]
    Served(PathBuf),
    /// Another release wrote it.
    #[error("{path} has version {found}, and this release of Selvedge reads version {VERSION}: install the package again", path = .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// An image that has no digest would not be one and the same for ever.
    #[error("{path} names no image by digest: {digest:?} is not sha256 and 64 hex digits", path = .path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// What it has instead.
        digest: String,
    },
}

/// `image.json`, as fabric-builder-k8s has it too.
#[derive(Deserialize, Serialize)]
struct Image {
    name: String,
    digest: String,
}

/// What the image has a container run.
#[derive(Deserialize, Serialize)]
struct Command {
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
}

/// That a chaincode listens for its peer.
#[derive(Deserialize, Serialize)]
struct Listens {
    tls: bool,
    /// Absent of one that listens where it is told to, and in what earlier releases left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u32>,
}

/// What a build made.
pub(crate) struct Built {
    pub(crate) image: ImageReference,
    /// That the chaincode listens, if it does.
    pub(crate) listening: Option<Listening>,
}

/// `launch.json`: what is left of the package's metadata.
#[derive(Deserialize, Serialize)]
struct Launch {
    version: u32,
    r#type: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    label: String,
    /// Absent where it does not, and in what earlier releases left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listens: Option<Listens>,
    /// Absent where nobody could tell, and in what earlier releases left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Command>,
}

impl Launch {
    /// What is known of a package that names an image. Its label is in the package ID too.
    fn of_named_image() -> Self {
        let r#type = ChaincodeType::K8s.name().into();
        let (path, label) = (String::new(), String::new());
        Self { version: VERSION, r#type, path, label, listens: None, command: None }
    }
}

/// The directory.
pub(crate) struct Output(PathBuf);

impl Output {
    /// An output that a build left.
    pub(crate) fn of_build(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// The output of a build that begins: an empty directory.
    pub(crate) fn empty(directory: PathBuf) -> Result<Self, OutputError> {
        match fs::read_dir(&directory).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(Self(directory)),
            Ok(false) => Err(OutputError::NotEmpty(directory)),
            Err(source) => Err(OutputError::Io { path: directory, source }),
        }
    }

    /// The source's tar.
    pub(crate) fn source(&self) -> PathBuf {
        self.0.join("source.tar")
    }

    /// The package's META-INF.
    pub(crate) fn meta_inf(&self) -> PathBuf {
        self.0.join("META-INF")
    }

    /// Opens the source's tar, which is there from the build on.
    pub(crate) fn open_source(&self) -> Result<File, OutputError> {
        File::open(self.source()).map_err(|source| OutputError::Io { path: self.source(), source })
    }

    /// Where the chaincode's server is, in the words of a peer.
    pub(crate) fn server(&self) -> PathBuf {
        self.0.join(CONNECTION_FILE)
    }

    /// Writes the result of a build that made nothing, as the chaincode is served elsewhere.
    pub(crate) fn write_server(&self, server: &Server) -> Result<(), OutputError> {
        Ok(json::write_secret(&self.server(), &server.file())?)
    }

    /// Writes the result of the build. image.json comes last: it says that the
    /// build is whole.
    pub(crate) fn write(
        &self,
        source: ChaincodeSource,
        Built { image, listening }: Built,
    ) -> Result<(), OutputError> {
        let image = self.checked(image)?;
        let ChaincodeSource { r#type, path, label } = source;
        let listens = listening.map(|Listening { tls, port }| Listens { tls, port });
        let ImageReference { name, digest, command } = image;
        let command = command.map(|ImageCommand { entrypoint, cmd }| Command { entrypoint, cmd });
        let launch = Launch { version: VERSION, r#type, path, label, listens, command };
        json::write(&self.launch_path(), &launch)?;
        Ok(json::write(&self.image_path(), &Image { name, digest })?)
    }

    /// Reads the image that the build made and what it was built from.
    pub(crate) fn read(&self) -> Result<(Built, ChaincodeSource), OutputError> {
        if self.server().exists() {
            return Err(OutputError::Served(self.0.clone()));
        }
        let launch = if self.is_of_another_builder() {
            Launch::of_named_image()
        } else {
            json::read(&self.launch_path())?
        };
        if launch.version != VERSION {
            return Err(OutputError::Version { path: self.launch_path(), found: launch.version });
        }
        let Image { name, digest } = json::read(&self.image_path())?;
        let Launch { r#type, path, label, listens, command, .. } = launch;
        let command = command.map(|Command { entrypoint, cmd }| ImageCommand { entrypoint, cmd });
        let image = self.checked(ImageReference { name, digest, command })?;
        let listening = listens.map(|Listens { tls, port }| Listening { tls, port });
        Ok((Built { image, listening }, ChaincodeSource { r#type, path, label }))
    }

    /// Whether fabric-builder-k8s left this: `image.json`, and neither source nor `launch.json`
    /// (its `internal/builder/build.go`). A peer whose core.yaml calls Selvedge by the name of that
    /// builder has it run what that one built (Fabric `core/container/externalbuilder`,
    /// `CachedBuild`).
    fn is_of_another_builder(&self) -> bool {
        let is_there = |path: PathBuf| path.symlink_metadata().is_ok();
        is_there(self.image_path()) && !is_there(self.launch_path()) && !is_there(self.source())
    }

    /// Takes away what a failed build left; nothing of a failed build is of use.
    pub(crate) fn discard(&self) {
        let _ = fs::remove_dir_all(self.meta_inf());
        for file in [self.source(), self.launch_path(), self.image_path(), self.server()] {
            let _ = fs::remove_file(file);
        }
    }

    fn image_path(&self) -> PathBuf {
        self.0.join("image.json")
    }

    fn launch_path(&self) -> PathBuf {
        self.0.join("launch.json")
    }

    fn checked(&self, image: ImageReference) -> Result<ImageReference, OutputError> {
        if is_sha256(&image.digest) {
            Ok(image)
        } else {
            Err(OutputError::Digest { path: self.image_path(), digest: image.digest })
        }
    }
}

/// Whether this is a digest as the OCI image specification writes it, with SHA-256.
fn is_sha256(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}
