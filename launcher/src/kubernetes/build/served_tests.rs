//! A launcher that is its own registry, and one that was, or will be; only Kubernetes is a mock.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use selvedge_buildpack::image::{Layout, ReferrerKind, sha256};
use tempfile::TempDir;
use testbed::registry::Access;
use testbed::temporary_registry::TemporaryRegistry;

use super::found_tests::{opened, staged};
use super::ready_tests::program;
use super::*;
use crate::data::DataDirectory;

/// What nodes call the repository.
const HERE: &str = "localhost:30500/selvedge/chaincode";

/// Where a launcher keeps what it keeps.
struct Scene {
    directory: TempDir,
    data: DataDirectory,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        Self { directory, data }
    }

    /// A launcher of whose registries the operator's file says this.
    async fn launcher(&self, of_registry: &str) -> Builds {
        let opened = opened(&self.data, of_registry, "timeout: 1m").await;
        opened.unwrap_or_else(|error| panic!("{}", one_line(&error)))
    }

    /// Builds a package of a program of a mebibyte that no other has; the image, or why there is none.
    async fn build(&self, builds: &Builds, seed: u8) -> Result<ImageReference, String> {
        let root = self.directory.path().join(format!("source-{seed}"));
        fs::create_dir_all(root.join("src")).unwrap();
        let (mut program, mut state) = (program(None), u64::from(seed) + 1);
        // What does not compress (Marsaglia's xorshift).
        while program.len() < 1 << 20 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            program.extend(state.to_le_bytes());
        }
        fs::write(root.join("src/greeter"), program).unwrap();
        let source = staged(&root, "binary", "greeter", &self.data).await;
        let (log, _lines) = mpsc::channel(64);
        let built = Box::pin(builds.build(&source, Duration::from_mins(10), &log)).await;
        built.map_err(|error| one_line(&error))
    }

    fn registry(&self) -> PathBuf {
        self.data.registry()
    }
}

/// What makes a launcher serve, at a port of this machine that nobody has.
fn serving(limit: &str) -> (u16, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (port, format!("serve: {{port: {port}, limit: {limit}}}"))
}

fn digest(image: &ImageReference) -> Sha256 {
    image.digest.parse().unwrap()
}

fn bytes_in(directory: &Path) -> u64 {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_get_what_was_built_and_may_not_write() {
    let scene = Scene::new();
    let (port, serve) = serving("1GiB");
    let builds = scene.launcher(&serve).await;
    let image = scene.build(&builds, 1).await.unwrap();
    assert_eq!(image.name, HERE);
    assert!(builds.holds(&image).await);

    let served = builds.served.as_ref().unwrap();
    let told: Vec<_> = served.registry().unwrap().referrers(digest(&image)).await.unwrap();
    assert_eq!(told.iter().map(|told| told.kind).collect::<Vec<_>>(), ReferrerKind::ALL);
    let nodes = served.as_nodes_do(&format!("127.0.0.1:{port}")).unwrap();
    assert!(nodes.holds(digest(&image)).await.unwrap());
    let (images, tag) = (Layout::open(&scene.registry()).unwrap(), "forged".parse().unwrap());
    let found =
        images.catalogue().unwrap().into_iter().find(|one| sha256(one) == Some(digest(&image)));
    let forged = nodes.push(&images, &found.unwrap(), &tag).await;
    forged.expect_err("nodes can write");
    let login = builds.pull_login().unwrap();
    assert_eq!(login.registry, "localhost:30500");

    // Pods that outlive the launcher have the password.
    drop(builds);
    let next = scene.launcher(&serving("1GiB").1).await;
    assert!(next.holds(&image).await);
    assert_eq!(next.pull_login(), Some(login));
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_to_a_registry_and_back_loses_nothing() {
    let scene = Scene::new();
    let server = TemporaryRegistry::start(Access::Open);
    let address = format!("address: {}/selvedge, plainHttp: true", server.host());
    let there = format!("{}/selvedge/chaincode", server.host());
    let builds = scene.launcher(&serving("1GiB").1).await;
    let first = scene.build(&builds, 1).await.unwrap();
    drop(builds);

    // While it still serves, what it has made is where it was.
    let builds = scene.launcher(&format!("{address}, {}", serving("1GiB").1)).await;
    assert!(builds.holds(&first).await);
    let _kept = builds.keep(&first);
    assert_eq!(scene.build(&builds, 2).await.unwrap().name, there);
    drop(builds);

    // When it serves no more, the same image is made again, of the source that the peer keeps.
    let builds = scene.launcher(&address).await;
    assert!(!builds.holds(&first).await);
    assert_eq!(builds.pull_login(), None);
    let moved = scene.build(&builds, 1).await.unwrap();
    assert_eq!((&moved.name, &moved.digest), (&there, &first.digest));
    assert!(builds.holds(&moved).await);
    drop(builds);

    let builds = scene.launcher(&serving("1GiB").1).await;
    assert!(builds.holds(&first).await);
    assert!(!builds.holds(&moved).await);
    let back = scene.build(&builds, 1).await.unwrap();
    assert_eq!((&*back.name, &back.digest), (HERE, &first.digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_goes_for_another_only_while_no_chaincode_runs_it() {
    let scene = Scene::new();
    let builds = scene.launcher(&serving("1GiB").1).await;
    let first = scene.build(&builds, 1).await.unwrap();
    drop(builds);
    let blobs = scene.registry().join("blobs/sha256");
    let limit = bytes_in(&blobs) + (512 << 10);

    let builds = scene.launcher(&serving(&format!("{limit}B")).1).await;
    let running = builds.keep(&first);
    let reason = scene.build(&builds, 2).await.unwrap_err();
    assert!(
        reason.contains("there is no room for 1") && reason.contains("registry.serve.limit"),
        "{reason}"
    );
    assert!(builds.holds(&first).await);
    assert_eq!(fs::read_dir(scene.registry().join("uploads")).unwrap().count(), 0);

    drop(running);
    let second = scene.build(&builds, 2).await.unwrap();
    assert!(builds.holds(&second).await && !builds.holds(&first).await);
    // It is made again when it is called for.
    assert_eq!(scene.build(&builds, 1).await, Ok(first));
    assert!(bytes_in(&blobs) <= limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_one_launchers() {
    let [one, other] = [Scene::new(), Scene::new()];
    let _serving = one.launcher(&serving("1GiB").1).await;
    symlink(one.registry(), other.registry()).unwrap();
    let refused = opened(&other.data, &serving("1GiB").1, "timeout: 1m").await;
    let reason = one_line(&refused.err().unwrap());
    assert!(reason.starts_with("another launcher keeps its images in "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_said_at_the_start() {
    let scene = Scene::new();
    let refused = async |of_registry: &str| {
        let refused = opened(&scene.data, of_registry, "timeout: 1m").await;
        one_line(&refused.err().unwrap())
    };
    let reason = refused("rewrites: []").await;
    assert!(reason.contains("registry.address") && reason.contains("registry.serve"), "{reason}");

    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let reason = refused(&format!("serve: {{port: {port}}}")).await;
    assert!(reason.contains("choose another port with registry.serve.port"), "{reason}");

    fs::remove_dir_all(scene.registry()).unwrap();
    fs::write(scene.registry(), "a file").unwrap();
    let reason = refused(&serving("1GiB").1).await;
    assert!(reason.contains("cannot keep images in "), "{reason}");
}
