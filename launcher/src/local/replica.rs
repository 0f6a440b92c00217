//! A replica's files and command: the image's content in a private directory, and
//! in it what a container would find at its root.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::iter;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_buildpack::image::oci_spec::image::{Config, ImageConfiguration};
use selvedge_buildpack::image::{Layout, ZONEINFO, unpack};
use selvedge_config::{Chaincode, Variable};
use selvedge_manifest::{LaunchPlan, ReplicaCredentials, listening_at};
use tokio::task::spawn_blocking;

use super::confinement::{Confined, Confinement};
use super::given::Given;
use super::search_path::find_in;
use super::started::Start;
use crate::backend::{StartError, Workload};
use crate::data::TemporaryDirectory;

/// An image's content in a private directory, and how the image has its process started.
pub(super) struct Unpacked {
    files: Arc<TemporaryDirectory>,
    config: Config,
}

impl Unpacked {
    /// Unpacks the image into `files`.
    pub(super) async fn of(
        images: &Layout,
        image: &str,
        files: TemporaryDirectory,
    ) -> Result<Self, StartError> {
        let failed = |source| StartError::Image { image: image.to_owned(), source };
        let configuration = {
            let (images, image, root) = (images.clone(), image.to_owned(), root_in(files.path()));
            spawn_blocking(move || unpacked(&images, &image, &root)).await
        };
        let configuration = configuration.map_err(|error| failed(error.into()))?.map_err(failed)?;
        let config = configuration.config().clone().unwrap_or_default();
        if config.entrypoint().as_ref().is_none_or(Vec::is_empty) {
            return Err(failed("it has no entrypoint".into()));
        }
        Ok(Self { files: Arc::new(files), config })
    }

    fn root(&self) -> PathBuf {
        root_in(self.files.path())
    }

    /// What starts one of several replicas, whose own files are beside the root.
    pub(super) fn at_seat(
        &self,
        workload: &Workload,
        credentials: &ReplicaCredentials,
        seat: usize,
        confinement: &Confinement,
    ) -> Result<Start, StartError> {
        let own = self.files.path().join(format!("seat-{seat}"));
        for directory in [self.place(), own.join("tmp")] {
            fs::create_dir_all(directory).map_err(StartError::Files)?;
        }
        self.start(workload, credentials, &own, confinement)
    }

    /// In whose place each process has a root of its own.
    fn place(&self) -> PathBuf {
        self.files.path().join("empty")
    }

    fn start(
        &self,
        workload: &Workload,
        credentials: &ReplicaCredentials,
        own: &Path,
        confinement: &Confinement,
    ) -> Result<Start, StartError> {
        let root = self.root();
        let plan = workload.launch_plan(&own.to_string_lossy(), credentials);
        write_files(&plan).map_err(StartError::Files)?;
        let mut command = self.config.entrypoint().clone().unwrap_or_default();
        let (program, path) = program(&command.remove(0), &root)?;
        let directory = self.config.working_dir().as_deref().unwrap_or("/").trim_start_matches('/');
        let directory = root.join(directory);
        // As in a container, and equal on every peer: the image's time zones, and UTC where code asks
        // for the local one. Without these Go finds the machine's (`src/time/zoneinfo.go`,
        // `LoadLocation`; `zoneinfo_unix.go`, `initLocal`). A name that the image does not have, it
        // looks up there all the same: nothing but a root of its own keeps a process from that.
        let zones = root.join(ZONEINFO.trim_start_matches('/'));
        let tmp = own.join("tmp");
        command.extend(plan.arguments);
        let environment: Vec<_> = self
            .config
            .env()
            .iter()
            .flatten()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .chain(said(&workload.settings))
            .chain(plan.environment)
            .collect();
        let confinement = confinement.clone();
        let named = program.to_string_lossy().into_owned();
        let confined = Confined {
            place: self.place(),
            // Its image and its own files, and nothing of the other seats.
            given: vec![Given::writable(&root), Given::writable(own)],
            directory: directory.clone(),
            program: iter::once(program.into())
                .chain(command.into_iter().map(Into::into))
                .collect(),
        };
        Ok(Start {
            program: named,
            listens: workload.shim.server().is_some(),
            command: Box::new(move |listening| {
                let mut guarded = confinement.command(&confined);
                guarded
                    .env_clear()
                    .env("TMPDIR", &tmp)
                    .env("HOME", &tmp)
                    .env("ZONEINFO", &zones)
                    .env("TZ", "UTC")
                    .envs(path.iter().map(|path| ("PATH", path)))
                    .envs(environment.iter().map(|(name, value)| (name, value)))
                    .envs(listening.into_iter().flat_map(listening_at))
                    .current_dir(&directory);
                guarded
            }),
            _files: Arc::clone(&self.files),
        })
    }
}

fn root_in(files: &Path) -> PathBuf {
    files.join("root")
}

/// The program that starts chaincode: the image's, or this machine's runtime where the image names
/// one, which then finds its own tools in the launcher's `PATH`, too.
fn program(named: &str, root: &Path) -> Result<(PathBuf, Option<OsString>), StartError> {
    if named.contains('/') {
        return Ok((root.join(named.trim_start_matches('/')), None));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = find_in(&path, OsStr::new(named));
    let found = found.ok_or_else(|| StartError::Runtime { program: named.to_owned() })?;
    Ok((found, Some(path)))
}

/// The variables that the operator's file sets: texts, as that file is held to on this backend.
pub(super) fn said(settings: &Chaincode) -> impl Iterator<Item = (String, String)> {
    settings.environment.iter().filter_map(|(name, variable)| match variable {
        Variable::Value(text) => Some((name.clone(), text.clone())),
        Variable::From(_) => None,
    })
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn unpacked(images: &Layout, image: &str, root: &Path) -> Result<ImageConfiguration, BoxError> {
    let descriptor = images.find(image.parse()?)?.ok_or("it is not in the image store")?;
    Ok(unpack(images, &descriptor, root)?)
}

fn write_files(plan: &LaunchPlan) -> io::Result<()> {
    for (path, content) in &plan.files {
        if let Some(directory) = Path::new(path).parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        // A key among them: for the owner's eyes.
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_image_or_a_runtime_of_this_machine() {
        let root = Path::new("/replica");
        let (own, path) = program("/usr/local/bin/chaincode", root).unwrap();
        assert_eq!((own, path), (root.join("usr/local/bin/chaincode"), None));
        let (shell, path) = program("sh", root).unwrap();
        assert!(shell.is_absolute() && !shell.starts_with(root), "{}", shell.display());
        assert_eq!(path, std::env::var_os("PATH"));
        let told = program("no-such-runtime", root).unwrap_err().to_string();
        let expected = "cannot find no-such-runtime, which runs this chaincode; install it, or add \
                        it to the launcher's PATH";
        assert_eq!(told, expected);
    }
}
