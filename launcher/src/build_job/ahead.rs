//! What a build is brought before it asks: by the mirror beside it, which knows what others of the same
//! needs have asked for.

use std::io::{self, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::blocking::Client;
use selvedge_buildpack::archive::{ArchiveError, Limits, Modes, stage, unpack};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::recipe::{Mirror, Toolchain};

use super::mirror_job::{MOST, NEEDS};

/// How long all of it may take to come.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is read at once, in bytes.
const PIECE: usize = 1 << 20;

/// The needs of a build, and where it is brought what they are.
pub(crate) struct Ahead {
    needs: String,
    client: Client,
}

/// Why nothing is brought, or noted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AheadError {
    #[error("the mirror does not answer")]
    Mirror(#[from] reqwest::Error),
    #[error("what the mirror brings cannot be used")]
    Archive(#[from] ArchiveError),
    #[error("there is no place for what the mirror brings")]
    Place(#[from] io::Error),
}

impl Ahead {
    /// Of a build with these needs, by the mirror at an address; none if nobody can be asked.
    pub(crate) fn of(needs: Sha256, at: SocketAddr) -> Option<Self> {
        let needs = format!("http://{at}{NEEDS}{}", needs.hex());
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().ok()?;
        Some(Self { needs, client })
    }

    /// Puts what there is where the tools look for it. For who runs nothing of a package yet: the needs
    /// are said once. On an error nothing is left.
    pub(crate) fn bring(&self, mirror: &dyn Mirror, tools: &Toolchain) -> Result<(), AheadError> {
        let Some(place) = mirror.place(tools) else { return Ok(()) };
        let answer = self.client.get(&self.needs).send()?.error_for_status()?;
        let answer = BufReader::with_capacity(PIECE, answer);
        std::fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))?;
        let limits = Limits { bytes: MOST, ..Limits::SOURCE };
        stage(&place, AheadError::Archive, |staging| {
            unpack(answer, staging, limits, Modes::Source).map_err(AheadError::Archive)
        })
    }

    /// Has noted what the build, which did well, asked for.
    pub(crate) fn note(&self) -> Result<(), AheadError> {
        self.client.post(&self.needs).send()?.error_for_status()?;
        Ok(())
    }
}
