//! The image that a package of type `k8s` names in its `image.json`: by name and digest, as
//! fabric-builder-k8s takes it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use oci_spec::distribution::Reference;
use selvedge_package::{IMAGE_FILE, Listens, RawImage, RawImageError};
use serde::Serialize;

use crate::digest::Sha256;
use crate::shim::{Security, Server, Shim};

/// The largest `image.json` that Selvedge reads, in bytes: two short texts.
const MAX_BYTES: u64 = 1 << 20;

/// An image that somebody else made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedImage {
    name: String,
    digest: Sha256,
    /// How its chaincode listens, if it does: nobody can tell by looking at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    listens: Option<Listens>,
}

/// Why nobody can tell which image a package is for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamedImageError {
    /// The code does not say.
    #[error(
        "the code has no {IMAGE_FILE} at its top: a chaincode of type k8s has one, which names its \
         image"
    )]
    Missing,
    /// The file could not be read.
    #[error("cannot read {IMAGE_FILE}")]
    Read(#[source] io::Error),
    /// It names none.
    #[error("{IMAGE_FILE} {0}")]
    Fault(ImageFault),
}

/// What may be wrong with an `image.json`. Reads on from the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageFault {
    /// More bytes than Selvedge reads.
    #[error("is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not what can be read.
    #[error(transparent)]
    Raw(#[from] RawImageError),
    /// No name.
    #[error("has no `name`: that of the image, such as registry.example.com/asset")]
    NoName,
    /// No image can have this name.
    #[error(
        "has the `name` {}, which no image can have: it is HOST[:PORT]/NAME in lower case, without \
         a scheme", .0.escape_debug()
    )]
    Name(String),
    /// A name with a digest in it.
    #[error("has a digest in the `name` {0}: its place is `digest`")]
    DigestInName(String),
    /// No digest.
    #[error(
        "has no `digest`: a name or a tag may come to stand for another image, its digest \
         (sha256:<64 hex digits>) does not"
    )]
    NoDigest,
    /// A tag in the place of a digest.
    #[error(
        "has the tag {0} as its `digest`: a tag may come to stand for another image; write the \
         digest that the registry has for it now (sha256:<64 hex digits>)"
    )]
    Tag(String),
    /// No digest that Selvedge knows.
    #[error(
        "has the `digest` {}, which is none of the form sha256:<64 lower-case hex digits>",
        .0.escape_debug()
    )]
    Digest(String),
}

impl NamedImage {
    /// The image with this name, which may have a tag as well, and digest.
    pub fn new(name: &str, digest: &str) -> Result<Self, ImageFault> {
        if name.is_empty() {
            return Err(ImageFault::NoName);
        }
        let reference: Reference = name.parse().map_err(|_| ImageFault::Name(name.to_owned()))?;
        if reference.digest().is_some() {
            return Err(ImageFault::DigestInName(name.to_owned()));
        }
        let digest = match digest.parse() {
            Ok(digest) => digest,
            Err(_) if digest.is_empty() => return Err(ImageFault::NoDigest),
            Err(_) if is_tag(digest) => return Err(ImageFault::Tag(digest.to_owned())),
            Err(_) => return Err(ImageFault::Digest(digest.to_owned())),
        };
        Ok(Self { name: name.to_owned(), digest, listens: None })
    }

    /// Reads the file at the top of a package's unpacked code.
    pub fn of_code(code: &Path) -> Result<Self, NamedImageError> {
        let mut json = Vec::new();
        let read = File::open(code.join(IMAGE_FILE))
            // A byte more than there may be shows that it is too large.
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut json));
        match read {
            Ok(_) => Self::read(&json).map_err(NamedImageError::Fault),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NamedImageError::Missing),
            Err(error) => Err(NamedImageError::Read(error)),
        }
    }

    /// Reads the content of a file.
    fn read(json: &[u8]) -> Result<Self, ImageFault> {
        if json.len() as u64 > MAX_BYTES {
            return Err(ImageFault::TooLarge);
        }
        let RawImage { name, digest, listens } = RawImage::read(json)?;
        Ok(Self { listens, ..Self::new(&name, &digest)? })
    }

    /// The name, as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// How its chaincode and the peer come together, as the package has it.
    pub fn shim(&self) -> Shim {
        self.listens.map_or(Shim::Dials, |Listens { tls, port }| {
            let security = if tls { Security::Tls } else { Security::Plain };
            Shim::Listens(Server { security, port })
        })
    }
}

impl fmt::Display for NamedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.digest)
    }
}

/// Whether this is a tag (the OCI distribution specification, "Pulling manifests"), and no digest
/// that lacks its algorithm.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || matches!(c, '.' | '-'))
        && (text.len() < 32 || !text.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shim::ServerPort;

    const DIGEST: &str = "sha256:802c336235cc1e7347e2da36c73fa2e4b6437cfc6f52872674d1e23f23bba63b";

    #[test]
    fn what_fabric_builder_k8s_takes() {
        for (name, key) in [
            ("ghcr.io/hyperledger-labs/go-contract", "digest"),
            ("ghcr.io/hyperledger-labs/go-contract:v0.7.2", "DIGEST"),
            ("127.0.0.1:5000/go-contract", "Digest"),
            ("hyperledger/go-contract", "digest"),
            ("go-contract", "digest"),
        ] {
            let json = format!(r#"{{"name":"{name}","{key}":"{DIGEST}","tag":7}}"#);
            let image = NamedImage::read(json.as_bytes()).unwrap();
            assert_eq!(image.to_string(), format!("{name}@{DIGEST}"));
            assert_eq!(image.shim(), Shim::Dials);
        }
    }

    #[test]
    fn one_that_listens() {
        for (listens, security, port) in [
            ("true", Security::Tls, None),
            (r#"{"tls":false}"#, Security::Plain, None),
            (r#"{"port":9999}"#, Security::Tls, Some(9999)),
            (r#"{"port":1024,"tls":false}"#, Security::Plain, Some(1024)),
        ] {
            let json = format!(r#"{{"name":"a","digest":"{DIGEST}","listens":{listens}}}"#);
            let image = NamedImage::read(json.as_bytes()).unwrap();
            let port = port.map(|number| ServerPort::new(number).unwrap());
            assert_eq!(image.shim(), Shim::Listens(Server { security, port }));
        }
    }

    #[test]
    fn what_names_no_image() {
        let name = "ghcr.io/hyperledger/asset-transfer-basic";
        let of = |name: &str, digest: &str| format!(r#"{{"name":"{name}","digest":"{digest}"}}"#);
        let upper = DIGEST.to_uppercase().replace("SHA256", "sha256");
        for (json, reason) in [
            (String::new(), "is not a JSON object"),
            ("not JSON".to_owned(), "is not a JSON object"),
            ("[]".to_owned(), "is not a JSON object"),
            (r#"{"name":1}"#.to_owned(), "is not a JSON object"),
            ("{}".to_owned(), "has no `name`"),
            (of("", DIGEST), "has no `name`"),
            (format!(r#"{{"name":null,"digest":"{DIGEST}"}}"#), "has no `name`"),
            (of("https://ghcr.io/asset", DIGEST), "has the `name` https://ghcr.io/asset, which no"),
            (of("ghcr.io/Asset", DIGEST), "has the `name` ghcr.io/Asset, which no image can have"),
            (of("a b", DIGEST), "has the `name` a b, which no image can have"),
            (of(&format!("{name}@{DIGEST}"), DIGEST), "has a digest in the `name`"),
            (of(&format!("{name}:1.0"), ""), "has no `digest`"),
            (format!(r#"{{"name":"{name}","tag":"1.0"}}"#), "has no `digest`"),
            (of(name, "1.0"), "has the tag 1.0 as its `digest`"),
            (of(name, "latest"), "has the tag latest as its `digest`"),
            (of(name, "sha256:802c"), "has the `digest` sha256:802c, which is none"),
            (of(name, &DIGEST[7..]), "which is none of the form sha256:"),
            (of(name, &upper), "which is none of the form sha256:"),
            (of(name, &format!("sha512:{}", "0".repeat(128))), "which is none of the form sha256:"),
            (of(&"x".repeat(1 << 20), DIGEST), "is larger than 1048576 bytes"),
            (of(name, DIGEST).replace('}', r#","listens":9999}"#), "has `listens`, a number"),
        ] {
            let error = NamedImage::read(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }
}
