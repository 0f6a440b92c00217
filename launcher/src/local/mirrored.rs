//! A mirror of what a build's tools fetch, beside one that finds out only as it runs what it needs: a
//! task of the launcher's, which the build reaches at a port of this machine's loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use selvedge_buildpack::recipe::{Mirror, Recipe, Toolchain};
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::tools::Tools;
use crate::build_job::{Ahead, AheadError, MirrorJob, serve_mirror};
use crate::error_chain::one_line;

/// The mirror; it ends when it is dropped.
pub(super) struct Mirrored {
    mirror: &'static dyn Mirror,
    at: SocketAddr,
    ahead: Option<Arc<Ahead>>,
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
                let needs = recipe.needs();
                let ahead = spawn_blocking(move || Ahead::of(needs?, at)).await.ok().flatten();
                Some(Self { mirror, at, ahead: ahead.map(Arc::new), _serving: serving })
            }
            // The tools ask by themselves then.
            Err(error) => {
                warn!(error = one_line(&error), "nothing is kept for other builds");
                None
            }
        }
    }

    /// The tools, which ask the mirror unless they are told to ask somebody else, and have what others
    /// asked it for. Before anything of the package runs.
    pub(super) async fn asking(&self, tools: &Toolchain) -> io::Result<Toolchain> {
        let Some(asking) = self.mirror.asking(tools, &format!("http://{}", self.at))? else {
            info!("nothing is kept for other builds: settings of their own say whom the tools ask");
            return Ok(tools.clone());
        };
        let (mirror, tools) = (self.mirror, asking.clone());
        self.ahead("bring what is known", move |ahead| ahead.bring(mirror, &tools)).await;
        Ok(asking)
    }

    /// Has noted what a build asked for that did well.
    pub(super) async fn note(&self) {
        self.ahead("note what was asked for", Ahead::note).await;
    }

    /// Does what helps other builds, and no more.
    async fn ahead(
        &self,
        what: &str,
        act: impl FnOnce(&Ahead) -> Result<(), AheadError> + Send + 'static,
    ) {
        let Some(ahead) = self.ahead.clone() else { return };
        if let Ok(Err(error)) = spawn_blocking(move || act(&ahead)).await {
            warn!(error = one_line(&error), "the mirror could not {what}");
        }
    }
}
