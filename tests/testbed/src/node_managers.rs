//! Package managers of Node's world other than npm, as `tests/node-managers` pins them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::cache::{self, CacheError, io_error};
use crate::dist::workspace_dir;

/// The programs, and the files of theirs.
const PROGRAMS: [(&str, &str); 2] = [("yarn", "yarn/bin/yarn.js"), ("pnpm", "pnpm/bin/pnpm.cjs")];

/// The package managers.
#[derive(Clone, Debug)]
pub struct NodeManagers {
    dir: PathBuf,
}

impl NodeManagers {
    /// From the cache, or fetched by npm into it, once.
    pub fn obtain() -> Result<Self, CacheError> {
        let pinned = workspace_dir().join("tests/node-managers");
        let read = |name: &str| {
            let path = pinned.join(name);
            fs::read(&path).map_err(|error| io_error("read", &path, error))
        };
        let files = [("package.json", read("package.json")?), (LOCK, read(LOCK)?)];
        let key = hex::encode(&Sha256::digest(&files[1].1)[..8]);
        let entry = cache::root()?.join(format!("node/managers-{key}"));
        let dir = cache::obtain(&entry, |partial| {
            for (name, text) in &files {
                let path = partial.join(name);
                fs::write(&path, text).map_err(|error| io_error("write", &path, error))?;
            }
            fetch(partial).map_err(|error| io_error("fill", partial, error))
        })?;
        Ok(Self { dir })
    }

    /// A PATH on which Yarn 1 and pnpm are.
    pub fn path(&self) -> OsString {
        let mut path = self.dir.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    /// The one file of Yarn 4, which a package brings along.
    pub fn yarn_4(&self) -> PathBuf {
        self.dir.join("node_modules/@yarnpkg/cli-dist/bin/yarn.js")
    }
}

const LOCK: &str = "package-lock.json";

fn fetch(dir: &Path) -> io::Result<()> {
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()?;
    if !npm.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&npm.stderr).into_owned()));
    }
    fs::create_dir(dir.join("bin"))?;
    PROGRAMS.iter().try_for_each(|(name, file)| {
        symlink(Path::new("../node_modules").join(file), dir.join("bin").join(name))
    })
}
