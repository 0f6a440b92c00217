//! Why builds in the cluster cannot be offered, and why one brought no image.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::BaseError;
use selvedge_buildpack::platform::UnsupportedPlatform;
use selvedge_buildpack::source::SourceError;

use super::super::failure::ApiFailure;
use super::follow::FollowError;
use super::judge::Rejected;
use super::served::ServeError;
use super::verdict::JobFailure;
use selvedge_registry::{CredentialsError, InvalidRepository, RegistryError, RuntimeError};

/// Why builds in the cluster cannot be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildsError {
    #[error(
        "the kubernetes backend needs a registry: say registry.address in the operator's file \
         (--config), or registry.serve to have the launcher be one"
    )]
    NoRegistry,
    #[error(
        "registry.serve is taken up when the launcher starts: start it anew, or say registry.address"
    )]
    NotServed,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("registry.address is none")]
    Address(#[source] InvalidRepository),
    #[error("cannot make the images' base")]
    Base(#[from] BaseError),
    #[error(transparent)]
    Platform(#[from] UnsupportedPlatform),
    #[error("cannot read the CA certificates in {path}")]
    Certificates { path: PathBuf, source: io::Error },
    #[error("cannot listen for builds on {address}; choose another port with builds.port")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Api(#[from] ApiFailure),
    #[error(
        "cannot tell the launcher's own image: the pod {0} has no container `launcher`; say \
         builds.launcherImage"
    )]
    NoOwnImage(String),
}

/// Why a build in the cluster brought no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterBuildError {
    #[error(transparent)]
    Api(#[from] ApiFailure),
    #[error(transparent)]
    Job(#[from] JobFailure),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("cannot use the image that chaincode of this language stands on (builds.runtimes)")]
    Runtime(#[from] RuntimeError),
    #[error("there is no Secret {namespace}/{name} (registry.secret)")]
    NoSecret { namespace: String, name: String },
    #[error("cannot use the Secret {namespace}/{name} (registry.secret)")]
    Credentials { namespace: String, name: String, source: CredentialsError },
    #[error("the Secret {namespace}/{name} (registry.secret) has no key .dockerconfigjson")]
    NotDockerConfig { namespace: String, name: String },
    #[error("what the build left was not taken")]
    Rejected(#[from] Rejected),
    #[error("the build left the image {left}, but its Job says {said}: was it tampered with?")]
    Tampered { left: Sha256, said: Sha256 },
    #[error("the build's Job ended well, but left no image")]
    NothingLeft,
    #[error("cannot make the image")]
    Image(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot offer the source to the build")]
    Offer(#[source] io::Error),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the build was ended {0} times by what happened to other launchers")]
    Unlucky(usize),
    #[error("the launcher is stopping")]
    Stopping,
}

impl From<FollowError> for ClusterBuildError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Job(failure) => failure.into(),
            FollowError::Api(failure) => failure.into(),
        }
    }
}
