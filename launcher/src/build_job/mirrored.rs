//! A build that has a mirror beside it.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use selvedge_buildpack::recipe::{Mirror, Recipe, Toolchain};

use super::ahead::Ahead;
use super::error::BuildJobError;
use super::mirror_job::ACCOUNT;
use super::order::BuildJob;
use crate::error_chain::one_line;

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
    ahead: Option<Ahead>,
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
        let ahead = recipe.needs().and_then(|needs| Ahead::of(needs, at));
        Ok(Some(Self { mirror, at, ahead }))
    }

    /// The tools, which ask the mirror, and have what others asked it for. Before anything of the
    /// package runs.
    pub(super) fn asking(&self, tools: &Toolchain) -> Result<Toolchain, BuildJobError> {
        let asking = self.mirror.asking(tools, &format!("http://{}", self.at));
        let asking =
            asking.map_err(|source| BuildJobError::File { path: "settings".into(), source })?;
        let Some(asking) = asking else {
            println!(
                "nothing is kept for other builds: the toolchain's image has settings of its own \
                 that say whom to ask"
            );
            return Ok(tools.clone());
        };
        if let Some(ahead) = &self.ahead
            && let Err(error) = ahead.bring(self.mirror, &asking)
        {
            println!("nothing is brought ahead: {}", one_line(&error));
        }
        Ok(asking)
    }

    /// Has it noted what was asked for by a build that did well, and tells what the mirror says it did.
    /// That either cannot be done is no reason to fail.
    pub(super) fn end(self, did_well: bool) {
        if let Some(ahead) = self.ahead.as_ref().filter(|_| did_well)
            && let Err(error) = ahead.note()
        {
            println!("what was asked for is not noted: {}", one_line(&error));
        }
        if let Some(account) = self.account() {
            println!("{account}");
        }
    }

    fn account(&self) -> Option<String> {
        let client =
            reqwest::blocking::Client::builder().no_proxy().timeout(ANSWER).build().ok()?;
        let answer = client.get(format!("http://{}{ACCOUNT}", self.at)).send().ok()?;
        let mut text = String::new();
        answer.error_for_status().ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }
}
