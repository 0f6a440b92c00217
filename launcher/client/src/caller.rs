//! Who calls the launcher: what may be wrong is the same for all of them, the way out is not.

use std::time::Duration;

/// How long what listens at the address may take to give a first answer, and a way there to be found.
pub(crate) const GREETING: Duration = Duration::from_secs(5);

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An executable that a peer forks.
    Builder,
    /// A person, who sees the answer at once and can ask again.
    Person,
}

impl Caller {
    /// How long a launcher that is being restarted may take to be back.
    pub(crate) fn patience(self) -> Duration {
        match self {
            Self::Builder => Duration::from_secs(2),
            Self::Person => Duration::ZERO,
        }
    }

    /// How an address is named to this caller.
    pub(crate) fn address(self) -> &'static str {
        match self {
            Self::Builder => {
                "set SELVEDGE_LAUNCHER to where the launcher listens and list that in the builder's \
                 propagateEnvironment in core.yaml"
            }
            Self::Person => "name where the launcher listens by --launcher or SELVEDGE_LAUNCHER",
        }
    }

    /// What lets this caller in.
    pub(crate) fn admission(self) -> &'static str {
        match self {
            Self::Builder => "the peer's user must own the socket or be in its group",
            Self::Person => "be the user who owns the socket, or one who is in its group",
        }
    }

    /// What a launcher of another version does not know of the API, and what helps.
    pub(crate) fn unknown(self) -> &'static str {
        match self {
            Self::Builder => {
                "it does not know selvedge.launcher.v1.Launcher; install builders and launcher of \
                 one release"
            }
            Self::Person => {
                "it cannot tell that; update the launcher, or use the selvedge of its release"
            }
        }
    }
}
