//! A mirror of what a build's tools fetch, beside one that finds out only as it runs what it needs: a
//! task of the launcher's, which the build reaches at a port of this machine's loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use selvedge_buildpack::recipe::{Mirror, Recipe, Toolchain};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::tools::Tools;
use crate::build_job::{MirrorJob, serve_mirror};
use crate::error_chain::one_line;

/// The mirror; it ends when it is dropped.
pub(super) struct Mirrored {
    mirror: &'static dyn Mirror,
    at: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Mirrored {
    /// A mirror for a recipe that has a use for one, which keeps up to `limit` bytes of what it brings
    /// where builds share it. A build may take `time`.
    pub(super) async fn beside(
        recipe: &dyn Recipe,
        tools: &Tools,
        limit: u64,
        time: Duration,
    ) -> Option<Self> {
        let mirror = recipe.mirror()?;
        let job = MirrorJob {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            language: tools.language,
            dependencies: Some(tools.own().to_owned()),
            limit: Some(limit),
            time: time.as_secs(),
            authorities: None,
            credentials: None,
            outcome: Path::new("/dev/null").to_owned(),
        };
        let other = std::env::var(mirror.variable()).ok();
        match serve_mirror(&job, other.as_deref()).await {
            Ok((at, serving)) => {
                let serving = AbortOnDropHandle::new(tokio::spawn(serving));
                Some(Self { mirror, at, _serving: serving })
            }
            // The tools ask by themselves then.
            Err(error) => {
                warn!(error = one_line(&error), "nothing is kept for other builds");
                None
            }
        }
    }

    /// The tools, which ask the mirror unless they are told to ask somebody else.
    pub(super) fn asking(&self, tools: &Toolchain) -> io::Result<Toolchain> {
        let asking = self.mirror.asking(tools, &format!("http://{}", self.at))?;
        if asking.is_none() {
            info!("nothing is kept for other builds: settings of their own say whom the tools ask");
        }
        Ok(asking.unwrap_or_else(|| tools.clone()))
    }
}
