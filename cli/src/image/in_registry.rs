//! An image in a registry, asked with the credentials that docker keeps.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{ReferrerKind, sha256};
use selvedge_registry::{Bounded, Reference, RegistryAuth};
use tokio::time::timeout;

use super::read::{Read, manifest};

/// How long the registry may take for all of it.
const LIMIT: Duration = Duration::from_mins(1);

/// The largest document that is read, in bytes: what a layout takes, too.
const MOST: usize = 4 << 20;

/// What is taken. Of several images in one, the digests are told.
const TAKEN: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// What docker calls its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Reads the image.
pub(super) fn read(image: &Reference, plain_http: bool) -> anyhow::Result<Read> {
    let auth = credentials(image.registry())?;
    let bounded = Bounded::new(image, plain_http, auth)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for the registry's answer")?;
    let asked = runtime.block_on(async { timeout(LIMIT, ask(&bounded, image)).await });
    let registry = image.registry();
    let waited = || format!("the registry {registry} takes over {} s", LIMIT.as_secs());
    asked.with_context(waited)?.with_context(|| format!("cannot read {image}"))
}

async fn ask(bounded: &Bounded, image: &Reference) -> anyhow::Result<Read> {
    let name = image.digest().or(image.tag()).unwrap_or("latest");
    let found = bounded.manifest(name, &TAKEN).await.context("its registry does not tell")?;
    let found = found.context("its registry has none of this name")?;
    let manifest = manifest(&found.bytes)?;
    let configuration = blob(bounded, manifest.config()).await?;
    let configuration =
        serde_json::from_slice(&configuration).context("its configuration is none of an image")?;
    let told = bounded.referrers(found.digest).await;
    let mut documents: Vec<(ReferrerKind, Vec<u8>)> = Vec::new();
    for referrer in told.context("its registry does not tell what refers to it")? {
        // The first of each kind is told of.
        if documents.iter().all(|(kind, _)| *kind != referrer.kind) {
            documents.push((referrer.kind, blob(bounded, &referrer.document).await?));
        }
    }
    let digest = found.digest;
    let name = image.clone_with_digest(digest.to_string()).to_string();
    Ok(Read { name, digest, manifest, configuration, documents })
}

async fn blob(bounded: &Bounded, blob: &Descriptor) -> anyhow::Result<Vec<u8>> {
    let digest: Sha256 = sha256(blob).context("it names a blob by no digest of SHA-256")?;
    let found = bounded.blob(digest, MOST).await;
    let found = found.with_context(|| format!("its registry does not give the blob {digest}"))?;
    found.with_context(|| format!("its registry has lost the blob {digest}"))
}

/// Whether docker keeps anything: where it looks (`DOCKER_CONFIG`, or `.docker` in the home
/// directory) there need be no file.
fn is_configured() -> bool {
    let directory = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let directory = directory.or_else(|| Some(env::home_dir()?.join(".docker")));
    directory.is_some_and(|directory| directory.join("config.json").exists())
}

/// What docker has for the registry.
fn credentials(registry: &str) -> anyhow::Result<RegistryAuth> {
    if !is_configured() {
        return Ok(RegistryAuth::Anonymous);
    }
    let server = if registry == "docker.io" { DOCKER_HUB } else { registry };
    match get_credential(server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(RegistryAuth::Basic(user, password))
        }
        Ok(DockerCredential::IdentityToken(_)) => bail!(
            "docker's config.json has an identity token for {registry}: log in with a user and a \
             password, or another kind of token"
        ),
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(RegistryAuth::Anonymous),
        // What a helper has printed may be a password.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            bail!("docker's credential helper `{helper}` has nothing for {registry}")
        }
        Err(error) => Err(error).context("cannot use docker's config.json"),
    }
}
