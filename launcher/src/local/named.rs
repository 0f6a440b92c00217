//! Images that somebody else made: fetched to this machine, and run in a root of their own, with what
//! they find on Kubernetes.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_buildpack::image::oci_spec::image::ImageManifest;
use selvedge_buildpack::image::{CHAINCODE_USER_ID, Foreign, Layout, UnfitImage, lay_out};
use selvedge_buildpack::named_image::NamedImage;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::shim::{ServerPort, Shim};
use selvedge_manifest::{LaunchPlan, ReplicaCredentials, listening_at};
use selvedge_registry::{DockerConfig, FetchError, Origin, Reference, RegistryAuth, fetch};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::collection::Collection;
use super::confinement::{guarded_root, try_root};
use super::given::Given;
use super::passage::Passage;
use super::replica::said;
use super::rooted::{Ground, Rooted};
use super::started::{Start, free_address};
use crate::backend::{NamedAs, StartError, Unrunnable, Workload};
use crate::configuration::Configuration;
use crate::data::{DataDirectory, TemporaryDirectory};
use crate::error_chain::one_line;

/// Where the root is, in an image's directory.
const ROOT: &str = "root";

/// Where a process may write.
const TMP: &str = "/tmp";

/// What a process has to know of names: its proxy it knows by address.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// An image's root, in a directory that goes with it, and how the image starts its process.
pub(super) struct ImageRoot {
    image: Foreign,
    directory: TemporaryDirectory,
}

/// Where an image is fetched from, in the words of who is told that it cannot be.
struct Place {
    /// The name there.
    name: String,
    /// The name in the package, if that is another.
    named: Option<String>,
    wanted: Platform,
}

impl Place {
    fn of(image: &NamedImage, configuration: &Configuration, wanted: Platform) -> Self {
        let named = image.to_string();
        let name = configuration.now().registry().rewritten(&named);
        Self { named: Some(named).filter(|named| *named != name), name, wanted }
    }

    fn registry(&self) -> String {
        self.name.parse().map_or_else(|_| self.name.clone(), |at: Reference| at.registry().into())
    }

    fn unfetched(&self, reason: String) -> Unrunnable {
        Unrunnable::Unfetched { image: self.name.clone(), reason }
    }

    fn missing(&self) -> Unrunnable {
        Unrunnable::Missing {
            registry: self.registry(),
            image: self.name.clone(),
            wanted: self.wanted,
            named: NamedAs(self.named.clone()),
        }
    }

    fn of_another(&self, found: String) -> Unrunnable {
        Unrunnable::Platform {
            registry: self.registry(),
            image: self.name.clone(),
            found,
            wanted: self.wanted,
            named: NamedAs(self.named.clone()),
        }
    }
}

/// The images that somebody else made, on this machine.
pub(super) struct NamedImages {
    pub(super) images: Layout,
    pub(super) collection: Arc<Collection>,
    /// Held by whoever adds to the images.
    pub(super) turn: Arc<Semaphore>,
    pub(super) configuration: Configuration,
    pub(super) data: DataDirectory,
    pub(super) platform: Platform,
}

impl NamedImages {
    /// Sees to it that the image is here, and can be run; nothing is run of it yet.
    pub(super) async fn fetched(&self, image: &NamedImage) -> Result<Foreign, Unrunnable> {
        let place = Place::of(image, &self.configuration, self.platform);
        let manifest = match Foreign::known(&self.images, image.digest(), self.platform) {
            Some(manifest) => manifest,
            None => self.fetch(&place).await?,
        };
        Foreign::read(&self.images, &manifest, self.platform).map_err(|error| match error {
            UnfitImage::Platform { found, .. } => place.of_another(found),
            error => place.unfetched(format!("it {}", one_line(&error))),
        })
    }

    async fn fetch(&self, place: &Place) -> Result<ImageManifest, Unrunnable> {
        let reference: Reference =
            place.name.parse().map_err(|error| place.unfetched(one_line(&error)))?;
        let origin = Origin {
            image: &reference,
            plain_http: is_loopback(reference.registry()),
            auth: &auth_for(reference.registry()),
            platform: self.platform,
        };
        // Nobody clears away meanwhile what no image has yet.
        let _turn = self.turn.acquire().await;
        let fetched = fetch(&origin, &self.images).await;
        let (digest, manifest) = fetched.map_err(|error| match error {
            FetchError::Missing => place.missing(),
            FetchError::Platform(found) => place.of_another(found),
            error => place.unfetched(one_line(&error)),
        })?;
        self.collection.collect(Some(digest));
        Ok(manifest)
    }

    /// Whether a process can have a root of its own on this machine; why not.
    pub(super) async fn has_roots(&self, image: &NamedImage) -> Result<(), Unrunnable> {
        let no_roots = |reason: String| Unrunnable::NoRoots { image: image.clone(), reason };
        let unusable = |error: io::Error| no_roots(error.to_string());
        let files = self.data.temporary("root").map_err(unusable)?;
        let passage = port_of(image.shim())
            .map(|inside| Ok(Passage { outside: free_address()?, inside }))
            .transpose()
            .map_err(unusable)?;
        let rooted = Rooted {
            root: files.path().to_owned(),
            ground: Ground::Directory,
            user: CHAINCODE_USER_ID,
            group: CHAINCODE_USER_ID,
            directory: "/".into(),
            passage,
            given: Vec::new(),
            program: Vec::new(),
        };
        try_root(&rooted).await.map_err(no_roots)
    }

    /// Lays the image out for the replicas of one set.
    pub(super) async fn laid_out(&self, workload: &Workload) -> Result<ImageRoot, StartError> {
        let failed = |source| StartError::Image { image: workload.image.digest.clone(), source };
        let image = NamedImage::new(&workload.image.name, &workload.image.digest);
        let image = image.map_err(|error| failed(error.into()))?;
        let image = self.fetched(&image).await.map_err(|error| failed(error.into()))?;
        let directory = self.data.temporary("image").map_err(StartError::Files)?;
        let (images, root) = (self.images.clone(), directory.path().join(ROOT));
        let laid = spawn_blocking(move || {
            let laid = lay_out(&images, &image, &root);
            if laid.is_err() {
                // What is damaged is fetched again.
                image.forget(&images);
            }
            laid.map(|()| image)
        });
        let image = laid.await.map_err(|error| failed(error.into()))?;
        Ok(ImageRoot { image: image.map_err(|error| failed(error.into()))?, directory })
    }
}

/// What starts a replica in its image's root.
pub(super) fn prepare(
    root: &Arc<ImageRoot>,
    workload: &Workload,
    credentials: &ReplicaCredentials,
    files: TemporaryDirectory,
) -> Result<Start, StartError> {
    let root = Arc::clone(root);
    let plan = workload.launch_plan("", credentials);
    let given = given(&plan, files.path()).map_err(StartError::Files)?;
    let program = root.image.command();
    let user = root.image.user().unwrap_or(CHAINCODE_USER_ID);
    let rooted = Rooted {
        root: root.directory.path().join(ROOT),
        ground: Ground::Directory,
        user,
        group: user,
        directory: root.image.directory().into(),
        passage: None,
        given,
        program: program.iter().chain(&plan.arguments).map(OsString::from).collect(),
    };
    let of_image = root.image.environment();
    let of_image = of_image.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let ours = [("HOME", TMP), ("TMPDIR", TMP)];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment: Vec<(String, String)> =
        of_image.chain(ours).chain(said(&workload.settings)).chain(plan.environment).collect();
    let here = files.path().to_owned();
    let port = port_of(workload.shim);
    Ok(Start {
        program: program.first().cloned().unwrap_or_default(),
        listens: workload.shim.server().is_some(),
        command: Box::new(move |dialled| {
            // As long as it may be started again, its root stays.
            let _root = &root;
            let passage = dialled.zip(port).map(|(outside, inside)| Passage { outside, inside });
            let listening = passage.map_or(dialled, |passage| Some(passage.beyond()));
            let mut guarded = guarded_root(&Rooted { passage, ..rooted.clone() });
            guarded
                .env_clear()
                .envs(environment.iter().map(|(name, value)| (name, value)))
                .envs(listening.into_iter().flat_map(listening_at))
                .current_dir(&here);
            guarded
        }),
        _files: Arc::new(files),
    })
}

/// The port that a chaincode has of its own.
fn port_of(shim: Shim) -> Option<ServerPort> {
    shim.server()?.port
}

/// Writes what a replica is given in its root.
fn given(plan: &LaunchPlan, directory: &Path) -> io::Result<Vec<Given>> {
    let tmp = directory.join("tmp");
    fs::create_dir(&tmp)?;
    let mut given = vec![Given { from: tmp, to: TMP.into(), writable: true }];
    let hosts = ("/etc/hosts".to_owned(), HOSTS.as_bytes().to_vec());
    for (number, (path, content)) in plan.files.iter().chain([&hosts]).enumerate() {
        let from = directory.join(number.to_string());
        // A key among them: for the owner's eyes.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&from)?;
        file.write_all(content)?;
        given.push(Given { from, to: path.into(), writable: false });
    }
    Ok(given)
}

/// Whether a registry is on this machine: then it is spoken to over plain HTTP, as Docker does
/// (`registry/config.go`, "insecure registries").
fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What the launcher's user has for a registry, where Docker and others keep it.
fn auth_for(registry: &str) -> RegistryAuth {
    let directory = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let of_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    let config = directory.or_else(of_home).and_then(|directory| {
        let json = fs::read(directory.join("config.json")).ok()?;
        DockerConfig::parse(&json).ok()
    });
    // What is wrong with it shows when it is needed.
    let auth = config.and_then(|config| config.for_registry(registry).ok());
    auth.unwrap_or(RegistryAuth::Anonymous)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_this_machine() {
        for (registry, here) in [
            ("127.0.0.1:5000", true),
            ("localhost:5000", true),
            ("localhost", true),
            ("[::1]:5000", true),
            ("registry.example.com", false),
            ("10.0.0.1:5000", false),
            ("localhost.example.com:5000", false),
        ] {
            assert_eq!(is_loopback(registry), here, "{registry}");
        }
    }
}
