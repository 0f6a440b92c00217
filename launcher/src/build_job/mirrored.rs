//! A build that has a mirror beside it.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use selvedge_buildpack::recipe::{Mirror, Recipe, Toolchain};

use super::error::BuildJobError;
use super::mirror_job::ACCOUNT;
use super::order::BuildJob;

/// How long the mirror may take to listen: its container was begun before this one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pause before it is looked again.
const PAUSE: Duration = Duration::from_millis(20);

/// How long it may take to say what it did.
const ANSWER: Duration = Duration::from_secs(5);

/// The most that is read of that, in bytes.
const LONGEST: u64 = 1 << 10;

/// The mirror that a build has.
pub(super) struct Mirrored {
    mirror: &'static dyn Mirror,
    at: SocketAddr,
}

impl Mirrored {
    /// The mirror of a build, which listens; none if the build has none.
    pub(super) fn of(job: &BuildJob, recipe: &dyn Recipe) -> Result<Option<Self>, BuildJobError> {
        let (Some(at), Some(mirror)) = (job.mirror, recipe.mirror()) else { return Ok(None) };
        let began = Instant::now();
        // Before anything of a package runs, which could listen there itself.
        while let Err(error) = TcpStream::connect_timeout(&at, PATIENCE) {
            if began.elapsed() > PATIENCE {
                return Err(BuildJobError::NoMirror(at, error));
            }
            sleep(PAUSE);
        }
        Ok(Some(Self { mirror, at }))
    }

    /// The tools, which ask the mirror.
    pub(super) fn asking(&self, tools: &Toolchain) -> Result<Toolchain, BuildJobError> {
        let asking = self.mirror.asking(tools, &format!("http://{}", self.at));
        let asking =
            asking.map_err(|source| BuildJobError::File { path: "settings".into(), source })?;
        if asking.is_none() {
            println!(
                "nothing is kept for other builds: the toolchain's image has settings of its own \
                 that say whom to ask"
            );
        }
        Ok(asking.unwrap_or_else(|| tools.clone()))
    }

    /// What the mirror says it did; none if it does not, which is no reason to fail.
    pub(super) fn account(&self) -> Option<String> {
        let client =
            reqwest::blocking::Client::builder().no_proxy().timeout(ANSWER).build().ok()?;
        let answer = client.get(format!("http://{}{ACCOUNT}", self.at)).send().ok()?;
        let mut text = String::new();
        answer.error_for_status().ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }
}
