//! How one thing is, why, and what there is to be done.

use serde::Serialize;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Good,
    /// It works less well than it could, or will stop to.
    Doubtful,
    Bad,
    /// It cannot be seen from here.
    Unseen,
}

/// One line of what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) about: String,
    pub(super) verdict: Verdict,
    /// How it is, with the reason.
    pub(super) said: String,
    /// None where nothing is to be done.
    pub(super) way_out: Option<String>,
}

impl Finding {
    pub(super) fn good(about: impl Into<String>, said: impl Into<String>) -> Self {
        let (about, said) = (about.into(), said.into());
        Self { about, verdict: Verdict::Good, said, way_out: None }
    }

    pub(super) fn doubtful(
        about: impl Into<String>,
        said: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self::of(Verdict::Doubtful, about, said, way_out)
    }

    pub(super) fn bad(
        about: impl Into<String>,
        said: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self::of(Verdict::Bad, about, said, way_out)
    }

    pub(super) fn unseen(
        about: impl Into<String>,
        said: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self::of(Verdict::Unseen, about, said, way_out)
    }

    pub(super) fn of(
        verdict: Verdict,
        about: impl Into<String>,
        said: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        let way_out = Some(way_out.into()).filter(|way_out| !way_out.is_empty());
        Self { about: about.into(), verdict, said: said.into(), way_out }
    }
}
