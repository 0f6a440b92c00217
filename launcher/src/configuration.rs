//! The operator's file in force: read at the start, watched, and read anew when it changes.
//!
//! A ConfigMap's change is the swap of a symbolic link, an editor's a rename or a file written in
//! place; a network's file system tells of none of them. So the content itself is looked at, every
//! second: it has a megabyte at most. What stays the same from one look to the next has been written
//! to its end.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use selvedge_config::{BackendKind, Faults, LONGEST, Operator, USUAL_FILE};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info, warn};

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why the file is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("cannot read the operator's file {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("the operator's file {path} is not right:\n{faults}", path = .0.display(), faults = .1)]
    Faulty(PathBuf, Faults),
}

/// What is in force.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    operator: watch::Receiver<Arc<Operator>>,
    refusal: watch::Receiver<Option<String>>,
}

/// Looks at the file, for as long as it is polled.
pub(crate) struct Watcher {
    path: PathBuf,
    /// What was judged last, and what was wrong with it.
    judged: (Vec<u8>, Option<String>),
    operator: watch::Sender<Arc<Operator>>,
    refusal: watch::Sender<Option<String>>,
}

/// Reads the file that is named, or the usual one; without either all is as by default, and there is
/// nothing to watch.
pub(crate) fn open(named: Option<&Path>) -> Result<(Configuration, Option<Watcher>), NotTaken> {
    let usual = Path::new(USUAL_FILE);
    let unreadable = |error| NotTaken::Unreadable(usual.into(), error);
    let path = match named {
        None if usual.try_exists().map_err(unreadable)? => Some(usual),
        named => named,
    };
    let (bytes, operator) = match path {
        Some(path) => {
            let bytes = read(path).map_err(|error| NotTaken::Unreadable(path.into(), error))?;
            let operator = judge(&bytes).map_err(|faults| NotTaken::Faulty(path.into(), faults))?;
            info!(path = %path.display(), "the operator's file is in force");
            (bytes, operator)
        }
        None => (Vec::new(), Operator::default()),
    };
    let (sender, operator) = watch::channel(Arc::new(operator));
    let (refusing, refusal) = watch::channel(None);
    let watcher = path.map(|path| Watcher {
        path: path.to_owned(),
        judged: (bytes, None),
        operator: sender,
        refusal: refusing,
    });
    Ok((Configuration { operator, refusal }, watcher))
}

impl Configuration {
    /// A text that stays in force.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        let operator = Operator::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        let (_, operator) = watch::channel(Arc::new(operator));
        let (_, refusal) = watch::channel(None);
        Self { operator, refusal }
    }

    /// What is in force now.
    pub(crate) fn now(&self) -> Arc<Operator> {
        Arc::clone(&self.operator.borrow())
    }

    /// Ready when something else is in force than when this was last asked; never if nothing can
    /// change any more.
    pub(crate) async fn changed(&mut self) -> Arc<Operator> {
        if self.operator.changed().await.is_err() {
            return std::future::pending().await;
        }
        Arc::clone(&self.operator.borrow_and_update())
    }

    /// Why what the file says now is not in force.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.borrow().clone()
    }
}

impl Watcher {
    /// Follows the file; never returns.
    pub(crate) async fn watch(mut self) {
        let mut before = None;
        loop {
            sleep(INTERVAL).await;
            let path = self.path.clone();
            let Ok(seen) = spawn_blocking(move || read(&path)).await else { continue };
            let seen = seen.map_err(|error| error.to_string());
            // Until then somebody may be writing.
            if before.as_ref() == Some(&seen) {
                self.judge(seen);
            } else {
                before = Some(seen);
            }
        }
    }

    /// Takes what the file says, or says why not; once.
    fn judge(&mut self, seen: Result<Vec<u8>, String>) {
        let wrong = match seen {
            Err(error) => Some(format!("it cannot be read: {error}")),
            Ok(bytes) => {
                if bytes != self.judged.0 {
                    let wrong = self.take(&bytes).err();
                    let wrong = wrong.map(|faults| format!("it is not right:\n{faults}"));
                    self.judged = (bytes, wrong);
                }
                self.judged.1.clone()
            }
        };
        if *self.refusal.borrow() != wrong {
            let path = self.path.display();
            if let Some(reason) = &wrong {
                error!(%path, "the operator's file is refused, what was in force stays: {reason}");
            } else {
                info!(%path, "the operator's file says what is in force");
            }
            self.refusal.send_replace(wrong);
        }
    }

    fn take(&self, bytes: &[u8]) -> Result<(), Faults> {
        let operator = judge(bytes)?;
        let now = self.operator.borrow().backend();
        if operator.backend() != now {
            let message = "another backend wants another launcher: start it again with this file";
            return Err(Faults::at("backend", message));
        }
        info!(path = %self.path.display(), "the operator's file has changed and is in force");
        self.warn_of_what_waits(&operator);
        self.operator.send_replace(Arc::new(operator));
        Ok(())
    }

    /// Says what a running launcher does not take up.
    fn warn_of_what_waits(&self, new: &Operator) {
        let old = Arc::clone(&self.operator.borrow());
        let (was, is) = (old.builds(), new.builds());
        let changed = [
            ("health.address", old.health() != new.health()),
            ("apart.address", apart(&old) != apart(new)),
            ("builds.parallel", was.parallel != is.parallel),
            ("builds.imagesLimit", was.images_limit != is.images_limit),
            ("builds.launcherImage", was.launcher_image != is.launcher_image),
            ("builds.port", was.port != is.port),
            ("registry.serve", old.registry().serve != new.registry().serve),
        ];
        for (key, _) in changed.iter().filter(|(_, changed)| *changed) {
            warn!(key, "the change is taken up when the launcher starts again");
        }
    }
}

/// Where peers come in from apart.
fn apart(operator: &Operator) -> Option<SocketAddr> {
    operator.apart().map(|apart| apart.address)
}

/// What a text says, if nothing of it is wrong: pods' overlays among it.
fn judge(bytes: &[u8]) -> Result<Operator, Faults> {
    let operator = Operator::read(bytes)?;
    selvedge_manifest::check(&operator)?;
    let registry = operator.registry();
    let has_one = registry.address.is_some() || registry.serve.is_some();
    if operator.backend() == BackendKind::Kubernetes && !has_one {
        let message = "is missing: on Kubernetes a registry keeps the images; where there is none, the \
                       launcher is one by `registry: { serve: {} }`";
        return Err(Faults::at("registry.address", message));
    }
    Ok(operator)
}

/// The file's bytes, up to more than a file may have.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const HEAD: &str = "apiVersion: selvedge/v1\n";

    const PRIVILEGED: &[u8] = b"apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode:\n  \
        podTemplate:\n    spec: {\n      hostNetwork: true}\n";

    fn with(replicas: u16) -> String {
        format!("{HEAD}chaincode: {{replicas: {replicas}}}\n")
    }

    struct Scene {
        directory: tempfile::TempDir,
        configuration: Configuration,
    }

    impl Scene {
        /// A file as a ConfigMap has it, and who watches it.
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            fs::create_dir(root.join("..1")).unwrap();
            fs::write(root.join("..1/selvedge.yaml"), with(1)).unwrap();
            symlink("..1", root.join("..data")).unwrap();
            symlink("..data/selvedge.yaml", root.join("selvedge.yaml")).unwrap();
            let (configuration, watcher) = open(Some(&root.join("selvedge.yaml"))).unwrap();
            tokio::spawn(watcher.unwrap().watch());
            Self { directory, configuration }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// What the kubelet does.
        fn swap(&self, number: u32, text: &[u8]) {
            let new = format!("..{number}");
            fs::create_dir(self.path(&new)).unwrap();
            fs::write(self.path(&new).join("selvedge.yaml"), text).unwrap();
            symlink(&new, self.path("..data_tmp")).unwrap();
            fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        }

        async fn replicas(&mut self) -> u16 {
            self.configuration.changed().await.defaults().replicas
        }

        async fn refused(&mut self) -> String {
            let mut refusal = self.configuration.refusal.clone();
            let refused = refusal.wait_for(Option::is_some).await.unwrap();
            refused.clone().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_however_it_is_made() {
        let mut scene = Scene::new();
        scene.swap(2, with(2).as_bytes());
        assert_eq!(scene.replicas().await, 2);
        // As an editor does.
        fs::write(scene.path("new"), with(3)).unwrap();
        fs::rename(scene.path("new"), scene.path("selvedge.yaml")).unwrap();
        assert_eq!(scene.replicas().await, 3);
        fs::write(scene.path("selvedge.yaml"), with(4)).unwrap();
        assert_eq!(scene.replicas().await, 4);
    }

    #[test]
    fn a_launcher_that_is_the_registry_needs_no_other() {
        let said = b"apiVersion: selvedge/v1\nbackend: kubernetes\nregistry: {serve: {}}\n";
        let operator = judge(said).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(operator.registry().address, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_right_changes_nothing_and_is_told() {
        let mut scene = Scene::new();
        for (text, told) in [
            (
                &b"apiVersion: selvedge/v1\nchaincode: {replcas: 2}\n"[..],
                "did you mean `replicas`?",
            ),
            (b"apiVersion: selvedge/v1\nchaincode: {repl", "it is not right"),
            (b"apiVersion: selvedge/v1 # M\xfcller\n", "not in UTF-8"),
            (&vec![b'#'; 10 << 20], "more than 1048576"),
            (b"", "the file says nothing"),
            (
                b"apiVersion: selvedge/v1\nbackend: kubernetes\nregistry: {address: a/b}\n",
                "backend: ",
            ),
            (b"apiVersion: selvedge/v1\nbackend: kubernetes\n", "registry.address: is missing"),
            (PRIVILEGED, "chaincode.podTemplate.spec.hostNetwork: shares"),
        ] {
            fs::remove_file(scene.path("selvedge.yaml")).unwrap();
            fs::write(scene.path("selvedge.yaml"), text).unwrap();
            let refusal = scene.refused().await;
            assert!(refusal.contains(told), "{told}: {refusal:?}");
            assert_eq!(scene.configuration.now().defaults().replicas, 1);
            fs::write(scene.path("selvedge.yaml"), with(1) + "# again\n").unwrap();
            assert_eq!(scene.replicas().await, 1);
            assert_eq!(scene.configuration.refusal(), None);
            fs::write(scene.path("selvedge.yaml"), with(1)).unwrap();
            assert_eq!(scene.replicas().await, 1);
        }
        fs::remove_file(scene.path("selvedge.yaml")).unwrap();
        assert!(scene.refused().await.contains("cannot be read"));
        fs::write(scene.path("selvedge.yaml"), with(1)).unwrap();
        let mut refusal = scene.configuration.refusal.clone();
        refusal.wait_for(Option::is_none).await.unwrap();
    }

    #[test]
    fn a_launcher_does_not_start_with_a_file_that_is_not_right() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("selvedge.yaml");
        let error = open(Some(&path)).err().unwrap();
        assert!(matches!(error, NotTaken::Unreadable(..)), "{error}");
        fs::write(&path, "apiVersion: selvedge/v1\nchaincode: {tmp: x}\nbackend: locla\n").unwrap();
        let told = open(Some(&path)).err().unwrap().to_string();
        assert!(told.contains("2:18: chaincode.tmp") && told.contains("`local`"), "{told}");
        assert!(open(Some(directory.path())).is_err(), "a directory");
    }
}
