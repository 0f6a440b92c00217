//! Why a set of replicas is to take another one's place.

/// Why it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The operator's file says something else than before.
    Settings,
    /// One of several replicas hangs, and cannot be replaced alone.
    Hang,
}

impl Cause {
    /// What is said when it has taken over.
    pub(super) fn success(self) -> &'static str {
        match self {
            Self::Settings => "it runs by its new settings",
            Self::Hang => "its replicas, of which one hung, have been replaced",
        }
    }

    /// What is said when it does not come up.
    pub(super) fn failure(self) -> &'static str {
        match self {
            Self::Settings => "it does not come up with its new settings, and runs on as before",
            Self::Hang => {
                "its replicas, of which one hung, cannot be replaced, and the others run on"
            }
        }
    }
}
