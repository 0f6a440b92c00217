//! What is wrong, in the specification's form: a code, and words for a person (`spec.md`, "Error Codes").

use std::io;

use axum::response::{IntoResponse, Response};
use bytesize::ByteSize;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::LayoutError;
use serde_json::json;
use tracing::error;

/// Why a request is not answered with what it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("who asks is not known here")]
    Unauthorized,
    #[error("there is no repository of this name here")]
    NameUnknown,
    #[error("this is not offered here")]
    Unsupported,
    #[error("`{0}` is no tag and no digest of the form sha256:<64 lower-case hex digits>")]
    Reference(String),
    #[error("`{0}` is not a digest of the form sha256:<64 lower-case hex digits>")]
    Digest(String),
    #[error("what was sent has the digest {sent}, and not {said}")]
    Lie { said: Sha256, sent: Sha256 },
    #[error("the blob {0} is not here")]
    BlobUnknown(Sha256),
    #[error("the manifest {0} is not here")]
    ManifestUnknown(String),
    #[error("the manifest names {0}, which is not here: push that first")]
    PartUnknown(String),
    #[error("the manifest is none: {0}")]
    Manifest(String),
    #[error("a manifest may have {0} bytes at most")]
    ManifestTooLarge(u64),
    #[error("there is no such upload here (any more)")]
    UploadUnknown,
    #[error("the upload is being written to by another request")]
    UploadBusy,
    #[error("this part of the upload does not begin where the last one ended, at byte {size}")]
    OutOfOrder { location: String, size: u64 },
    #[error("the header {0} makes no sense")]
    Header(HeaderName),
    #[error("{0}")]
    Upload(String),
    #[error("the blob has {0} bytes, and that part of it is not there")]
    Range(u64),
    #[error("too many uploads have been begun and not ended")]
    TooMany,
    #[error(
        "an upload of {} is more than may be kept here altogether: {} (registry.serve.limit)",
        ByteSize(*.asked), ByteSize(*.limit)
    )]
    TooLarge { asked: u64, limit: u64 },
    #[error(
        "there is no room for {} more: {} of {} are taken by images that are in use, and by what is \
         being pushed (registry.serve.limit)",
        ByteSize(*.asked), ByteSize(*.taken), ByteSize(*.limit)
    )]
    NoRoom { asked: u64, taken: u64, limit: u64 },
    #[error("the registry's volume is full")]
    Full,
    #[error("the registry cannot do that just now")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "UNAUTHORIZED",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
            Self::Digest(_) | Self::Lie { .. } => "DIGEST_INVALID",
            Self::BlobUnknown(_) => "BLOB_UNKNOWN",
            Self::ManifestUnknown(_) => "MANIFEST_UNKNOWN",
            Self::PartUnknown(_) => "MANIFEST_BLOB_UNKNOWN",
            Self::Manifest(_) | Self::Reference(_) => "MANIFEST_INVALID",
            Self::UploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::UploadBusy | Self::OutOfOrder { .. } | Self::Header(_) | Self::Upload(_) => {
                "BLOB_UPLOAD_INVALID"
            }
            Self::ManifestTooLarge(_)
            | Self::TooLarge { .. }
            | Self::NoRoom { .. }
            | Self::Full
            | Self::Range(_) => "SIZE_INVALID",
            Self::TooMany => "TOOMANYREQUESTS",
            Self::Internal(_) => "UNKNOWN",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NameUnknown
            | Self::BlobUnknown(_)
            | Self::ManifestUnknown(_)
            | Self::UploadUnknown => StatusCode::NOT_FOUND,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::Digest(_)
            | Self::Reference(_)
            | Self::Lie { .. }
            | Self::PartUnknown(_)
            | Self::Manifest(_)
            | Self::Header(_)
            | Self::Upload(_) => StatusCode::BAD_REQUEST,
            Self::UploadBusy => StatusCode::CONFLICT,
            Self::OutOfOrder { .. } | Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::ManifestTooLarge(_) | Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::NoRoom { .. } | Self::Full => StatusCode::INSUFFICIENT_STORAGE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::internal(error),
        }
    }
}

impl From<LayoutError> for Fault {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Self::Full
            }
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            error!(error = cause.as_ref(), "the registry cannot answer");
        }
        let body = json!({ "errors": [{ "code": self.code(), "message": self.to_string() }] });
        let kind = [(CONTENT_TYPE, "application/json")];
        let mut response = (self.status(), kind, body.to_string()).into_response();
        let headers = response.headers_mut();
        let mut say = |name: HeaderName, value: String| {
            if let Ok(value) = value.try_into() {
                headers.insert(name, value);
            }
        };
        match &self {
            Self::Unauthorized => say(WWW_AUTHENTICATE, "Basic realm=\"selvedge\"".to_owned()),
            Self::OutOfOrder { location, size } => {
                say(LOCATION, location.clone());
                say(RANGE, upto(*size));
            }
            Self::Range(size) => say(CONTENT_RANGE, format!("bytes */{size}")),
            _ => {}
        }
        response
    }
}

/// What of an upload is there, as the specification has it: of nothing, too, the first byte.
pub(crate) fn upto(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}
