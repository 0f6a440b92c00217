//! What a run of a chaincode leaves to the one that follows it: the authority and the certificate of its
//! replicas, and where its proxy listened.
//!
//! Where replicas outlive a launcher, as pods do, the next run has them connect again as they are, and
//! nothing of what Kubernetes keeps of them changes. What is left is as secret as a replica's key and the
//! proxy's: who has it can be either to the other. So it lies where the launcher alone reads, and no
//! longer than it is of use: a chaincode that was stopped begins anew with another authority.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::shim::Shim;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use time::OffsetDateTime;
use tracing::{info, warn};

use crate::certificate_forms::SKEW;
use crate::certificates::{AGED, Certified};
use crate::error_chain::one_line;
use crate::removal;

/// How many chaincodes something is left of at most: no peer has as many.
const FILES: usize = 256;

/// The longest file. One holds two certificates and two keys.
const SIZE: u64 = 64 << 10;

/// What the files' names end with.
const SUFFIX: &str = ".run";

/// What is there for runs that follow.
pub(crate) struct Estate(PathBuf);

/// Whose run it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heir {
    /// The package ID.
    pub(crate) package_id: String,
    /// The organisation's MSP ID.
    pub(crate) msp_id: String,
    /// The peer's name, if it is one that the launcher is apart from; empty for the one beside.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) peer: String,
}

/// What one run leaves.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bequest {
    /// Of which chaincode it was.
    pub(crate) heir: Heir,
    /// The authority.
    pub(crate) authority: Certified,
    /// When that was made, in seconds since 1970.
    pub(crate) made: i64,
    /// What the replicas authenticate with.
    pub(crate) replicas: Certified,
    /// How their shim and the proxy come together.
    pub(crate) shim: String,
    /// How many were wanted.
    pub(crate) number: usize,
    /// Which set of its run they are, which says where their objects are.
    pub(crate) set: u64,
    /// The digest of the image that they run.
    pub(crate) image: String,
    /// The port at which the proxy listened.
    pub(crate) port: u16,
}

/// Why nothing can be made of a file.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("it is longer than {SIZE} bytes, and none of this launcher's")]
    Long,
    #[error("it is not what a launcher wrote")]
    Torn,
    #[error("a launcher of another version wrote it")]
    Foreign(#[source] serde_json::Error),
    #[error("it is another chaincode's")]
    Another,
    #[error("its certificates are too old, or from the future")]
    Aged,
}

impl Estate {
    /// Opens the directory, which is this launcher's alone.
    pub(crate) fn open(directory: PathBuf) -> Self {
        let estate = Self(directory);
        if let Err(error) = estate.clear() {
            warn!(path = %estate.0.display(), %error, "cannot clear what earlier runs left");
        }
        estate
    }

    /// What the last run left of the chaincode, if one has, and it can be gone on with.
    pub(crate) fn find(&self, heir: &Heir, shim: Shim) -> Option<Bequest> {
        let path = self.path(heir);
        let unfit = match read(&path, heir, OffsetDateTime::now_utc()) {
            Ok(bequest) if bequest.shim == described(shim) => return Some(bequest),
            Ok(_) => Unfit::Another,
            Err(Unfit::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {
                return None;
            }
            Err(unfit) => unfit,
        };
        let reason = one_line(&unfit);
        warn!(
            package_id = heir.package_id, path = %path.display(), reason,
            "what an earlier run left cannot be used, its pods are made anew"
        );
        None
    }

    /// Keeps what a run leaves, in place of what is there.
    pub(crate) fn keep(&self, bequest: &Bequest) {
        let path = self.path(&bequest.heir);
        if let Err(error) = write(&path, bequest) {
            // What is there would be wrong.
            let _ = removal::remove(&path);
            warn!(
                path = %path.display(), %error,
                "cannot keep what another launcher would go on with: it would make the pods anew"
            );
        }
    }

    /// Nothing of the chaincode runs any more.
    pub(crate) fn forget(&self, heir: &Heir) {
        let path = self.path(heir);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(path = %path.display(), %error, "cannot remove what a run left");
            }
            _ => {}
        }
    }

    fn path(&self, heir: &Heir) -> PathBuf {
        let names = [&*heir.package_id, &*heir.msp_id, &*heir.peer];
        let named = if heir.peer.is_empty() { &names[..2] } else { &names };
        let name = named.join("\0");
        self.0.join(format!("{}{SUFFIX}", Sha256::of(name.as_bytes()).hex()))
    }

    /// Removes what is no such file, and what was not used for longest where there are too many.
    fn clear(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX));
            if is_ours && metadata.is_file() {
                files.push(((metadata.mtime(), metadata.mtime_nsec()), entry.path()));
            } else {
                info!(path = %entry.path().display(), "what no run has left is removed");
                removal::remove(&entry.path())?;
            }
        }
        files.sort();
        let too_many = files.len().saturating_sub(FILES);
        files[..too_many].iter().try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// How a shim comes together with the proxy, in words that another launcher has, too.
pub(crate) fn described(shim: Shim) -> String {
    format!("{shim:?}")
}

fn read(path: &Path, heir: &Heir, now: OffsetDateTime) -> Result<Bequest, Unfit> {
    if !path.symlink_metadata()?.is_file() {
        return Err(Unfit::Torn);
    }
    let mut text = String::new();
    let length = File::open(path)?.take(SIZE + 1).read_to_string(&mut text)?;
    if length as u64 > SIZE {
        return Err(Unfit::Long);
    }
    let (digest, content) = text.split_once('\n').ok_or(Unfit::Torn)?;
    if digest != Sha256::of(content.as_bytes()).hex() {
        return Err(Unfit::Torn);
    }
    let bequest: Bequest = serde_json::from_str(content).map_err(Unfit::Foreign)?;
    if bequest.heir != *heir {
        return Err(Unfit::Another);
    }
    let age = now - OffsetDateTime::from_unix_timestamp(bequest.made).map_err(|_| Unfit::Aged)?;
    if age < -SKEW || age > AGED { Err(Unfit::Aged) } else { Ok(bequest) }
}

/// Writes the file as a whole or not at all, for the eyes of its owner.
fn write(path: &Path, bequest: &Bequest) -> io::Result<()> {
    let content = serde_json::to_string(bequest)?;
    let directory = path.parent().unwrap_or(path);
    let mut file = NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", Sha256::of(content.as_bytes()).hex())?;
    file.write_all(content.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
