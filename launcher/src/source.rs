//! A chaincode's source as it arrives from a builder: untrusted bytes until unpacked here.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::language::Language;
use selvedge_buildpack::named_image::{NamedImage, NamedImageError};
use selvedge_buildpack::package::ChaincodeType;
use selvedge_buildpack::shim::Shim;
use selvedge_buildpack::source::{Source, SourceError};
use selvedge_proto::launcher::ChaincodeSource;
use tokio_stream::Stream;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tonic::Status;

use crate::build_records::BuildKeySlot;
use crate::data::{DataDirectory, TemporaryDirectory};

/// The chunks of a source's tar.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Why a source was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error(
        "no launcher of this release has a part in chaincode of type {named:?}, only in {}",
        PackageContent::all().map(|content| content.kind().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Type { named: String },
    #[error("cannot keep the chaincode's source")]
    Directory(#[source] io::Error),
    #[error("the chaincode's source was refused")]
    Refused(#[from] SourceError),
    #[error("the chaincode's image is not named as it has to be")]
    Image(#[from] NamedImageError),
}

/// What a builder sent.
pub(crate) enum Received {
    /// Code that an image is to be made of.
    Code(StagedSource),
    /// An image that is there.
    Image(NamedImage),
}

/// A source in a private directory, which goes when this does.
pub(crate) struct StagedSource {
    /// The language.
    pub(crate) language: Language,
    /// The path of the code within the source, as in the package's metadata.
    pub(crate) path: String,
    /// The package's label.
    pub(crate) label: String,
    /// The files.
    pub(crate) source: Source,
    /// Where is said under which key its image is kept.
    pub(crate) key: BuildKeySlot,
    _directory: TemporaryDirectory,
}

/// What a package holds whose metadata names this type, if a launcher has a part in it.
pub(crate) fn content(named: &str) -> Result<PackageContent, StageError> {
    PackageContent::of(&ChaincodeType::named(named))
        .ok_or_else(|| StageError::Type { named: named.into() })
}

impl Received {
    /// How its chaincode and the peer come together.
    pub(crate) fn shim(&self) -> Shim {
        match self {
            Self::Code(StagedSource { language, path, source, .. }) => language.shim(source, path),
            Self::Image(image) => image.shim(),
        }
    }

    /// Unpacks the tar that the chunks make up; nothing is left of one that is refused.
    pub(crate) async fn receive(
        described: &ChaincodeSource,
        chunks: Chunks,
        data: &DataDirectory,
        key: &BuildKeySlot,
    ) -> Result<Self, StageError> {
        let content = content(&described.r#type)?;
        let directory = data.temporary("source").map_err(StageError::Directory)?;
        let target = directory.path().join("content");
        let chunks = tokio_stream::StreamExt::map(chunks, |chunk| chunk.map_err(io::Error::other));
        let source = tokio::task::spawn_blocking(move || {
            let mut reader = SyncIoBridge::new(StreamReader::new(chunks));
            Source::unpack(&mut reader, &target)
        })
        .await
        .map_err(|error| StageError::Directory(io::Error::other(error)))??;
        Ok(match content {
            PackageContent::Code(language) => {
                let (path, label) = (described.path.clone(), described.label.clone());
                let key = key.clone();
                Self::Code(StagedSource {
                    language,
                    path,
                    label,
                    source,
                    key,
                    _directory: directory,
                })
            }
            PackageContent::Image => Self::Image(NamedImage::of_code(source.root())?),
        })
    }
}
