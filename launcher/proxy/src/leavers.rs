//! Who are to go together.

use crate::identity::Credential;
use crate::replica::Place;

/// Which replicas: all of a set, or those in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Leavers {
    /// All with this credential: others are there in their place.
    Set(Credential),
    /// Those that are in one place, which is to go: others may come to be in theirs.
    At(Place),
}

impl Leavers {
    pub(crate) fn include(self, place: Place) -> bool {
        match self {
            Self::Set(credential) => place.credential == credential,
            Self::At(own) => place == own,
        }
    }

    /// Why they are to go, for people.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Set(_) => "is being replaced",
            Self::At(_) => "has to go",
        }
    }
}
