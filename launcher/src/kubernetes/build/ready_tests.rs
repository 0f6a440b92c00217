//! Programs that are compiled already, and a real registry; only Kubernetes is a mock, which knows no
//! Jobs.

use std::fs;
use std::path::Path;

use super::found_tests::{builds, staged};
use super::*;
use crate::data::DataDirectory;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::image::ReferrerKind;
use selvedge_registry::Registry;
use testbed::registry::Access;
use testbed::temporary_registry::{TemporaryRegistry, crane};

/// The headers of a program for this machine, which are all that is looked at; with the name of its
/// loader, if it has one.
pub(super) fn program(loader: Option<&str>) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[18] = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    (header[16], header[20], header[24], header[52], header[54]) = (2, 1, 0x80, 64, 56);
    if let Some(loader) = loader {
        (header[32], header[56]) = (64, 1);
        let mut segment = vec![0; 56];
        (segment[0], segment[8]) = (3, 120);
        segment[32] = u8::try_from(loader.len()).unwrap() + 1;
        header.extend(segment);
        header.extend(loader.bytes());
        header.push(0);
    }
    header
}

/// Builds a package of the program; the image, or why there is none, and what the installer sees.
async fn built(
    directory: &Path,
    server: &TemporaryRegistry,
    program: &[u8],
) -> (Result<ImageReference, String>, Vec<String>) {
    let data = DataDirectory::open(&directory.join("data")).unwrap();
    let root = directory.join("source");
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(root.join("src/greeter"), program).unwrap();
    let source = staged(&root, "binary", "greeter", &data).await;
    let builds = builds(server, &data, "rewrites: []", "timeout: 1m").await;
    let (log, mut lines) = mpsc::channel(64);
    let image = Box::pin(builds.build(&source, Duration::from_mins(10), &log)).await;
    drop(log);
    let mut said = Vec::new();
    while let Some(line) = lines.recv().await {
        said.push(line);
    }
    (image.map_err(|error| one_line(&error)), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_makes_the_image_of_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let server = TemporaryRegistry::start(Access::Open);
    let (image, lines) = built(directory.path(), &server, &program(None)).await;
    let image = image.unwrap();
    assert_eq!(lines, [""; 0]);
    // The next launcher finds it.
    let (again, lines) = built(directory.path(), &server, &program(None)).await;
    assert_eq!((again.unwrap(), lines), (image, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_an_image_lies_beside_it_and_is_told_anew() {
    let directory = tempfile::tempdir().unwrap();
    let server = TemporaryRegistry::start(Access::Open);
    let repository = format!("{}/selvedge", server.host()).parse().unwrap();
    let registry = Registry::new(&repository, true, RegistryAuth::Anonymous).unwrap();
    let (image, _) = built(directory.path(), &server, &program(None)).await;
    let digest: Sha256 = image.unwrap().digest.parse().unwrap();
    let told = registry.referrers(digest).await.unwrap();
    assert_eq!(told.iter().map(|told| told.kind).collect::<Vec<_>>(), ReferrerKind::ALL);

    // Nothing more is told of it where it is found, unless what was told is gone.
    built(directory.path(), &server, &program(None)).await.0.unwrap();
    assert_eq!(registry.referrers(digest).await.unwrap(), told);
    let listed = format!("{}/selvedge/chaincode", server.host());
    let tag = format!("{listed}:sha256-{}", digest.hex());
    crane(&["delete", &format!("{listed}@{}", crane(&["digest", &tag]))]);
    assert_eq!(registry.referrers(digest).await.unwrap(), []);
    built(directory.path(), &server, &program(None)).await.0.unwrap();
    let again = registry.referrers(digest).await.unwrap();
    assert_eq!(again[0], told[0], "the same image has the same SBOM");
    assert_ne!(again[1].document, told[1].document, "who found it does not say that it built it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_needs_libraries_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = TemporaryRegistry::start(Access::Open);
    let (image, _) = built(directory.path(), &server, &program(Some("/lib/ld.so"))).await;
    let reason = image.unwrap_err();
    let told =
        "a chaincode's image has no libraries, nor /lib/ld.so to load it: link it statically";
    assert!(reason.contains(told), "{reason}");
}
