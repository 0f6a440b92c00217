//! Where the authority of a launcher apart is.

use std::path::{Path, PathBuf};

use clap::Args;

/// Where it is.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuthorityPlace {
    /// Where the authority of a launcher apart is kept, which issues what its peers and itself show to
    /// each other; made when missing [default: `authority` in the data directory].
    #[arg(long = "authority", env = "SELVEDGE_AUTHORITY", value_name = "DIR")]
    named: Option<PathBuf>,
}

impl AuthorityPlace {
    /// The directory.
    pub(crate) fn directory(&self, data: &Path) -> PathBuf {
        let named = self.named.clone().filter(|named| !named.as_os_str().is_empty());
        named.unwrap_or_else(|| data.join("authority"))
    }
}
