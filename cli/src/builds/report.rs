//! What a launcher has told of its builds, as it is shown.

use selvedge_proto::launcher::{BuildState, BuildStatus, ImageReference};
use serde::Serialize;

use crate::lines::Told;
use crate::moment::Moment;

/// What `--json` prints of a build. Keys may be added to it, and none changes.
#[derive(Debug, Serialize)]
pub(super) struct Build {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) r#type: String,
    pub(super) path: String,
    /// `waiting`, `running`, `done`, `failed` or `abandoned`; `unknown` if only a newer command line
    /// knows it.
    pub(super) state: &'static str,
    pub(super) begun: Moment,
    /// Null while it goes on.
    pub(super) ended: Option<Moment>,
    /// Null before it is known, and of what is not built.
    pub(super) key: Option<String>,
    /// `NAME@DIGEST`.
    pub(super) image: Option<String>,
    /// Why it failed.
    pub(super) reason: Option<String>,
    /// The peer that called for it, of a launcher that is apart from its peers.
    pub(super) peer: Option<String>,
}

/// A build with its lines.
#[derive(Serialize)]
pub(super) struct WithLines<'a> {
    #[serde(flatten)]
    pub(super) build: Build,
    pub(super) lines: Vec<Told<'a>>,
}

impl Build {
    pub(super) fn of(told: BuildStatus) -> Self {
        let state = state(told.state());
        let source = told.source.unwrap_or_default();
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            id: told.id,
            label: source.label,
            r#type: source.r#type,
            path: source.path,
            state,
            begun: Moment::of(told.begun),
            ended: (told.ended != 0).then(|| Moment::of(told.ended)),
            key: said(told.key),
            image: told.image.map(|ImageReference { name, digest, .. }| format!("{name}@{digest}")),
            reason: said(told.reason),
            peer: said(told.peer),
        }
    }
}

fn state(state: BuildState) -> &'static str {
    match state {
        BuildState::Unspecified => "unknown",
        BuildState::Waiting => "waiting",
        BuildState::Running => "running",
        BuildState::Done => "done",
        BuildState::Failed => "failed",
        BuildState::Abandoned => "abandoned",
    }
}
