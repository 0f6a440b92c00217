//! What the launcher finds when it looks at what it needs, a thing at a time: how it is, why, and what
//! there is to be done.

use std::path::Path;

use bytesize::ByteSize;
use rustix::fs::statvfs;
use selvedge_proto::launcher::{self as told, Verdict};

use crate::error_chain::bounded;

/// With less room than this nothing can be built any more, with less than that soon, in bytes.
const NO_ROOM: u64 = 1 << 30;
const LITTLE_ROOM: u64 = 5 << 30;

/// How one thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) about: String,
    pub(crate) verdict: Verdict,
    pub(crate) said: String,
    pub(crate) way_out: String,
}

/// It is as it should be.
pub(crate) fn good(about: impl Into<String>, said: impl Into<String>) -> Finding {
    of(Verdict::Good, about, said, "")
}

/// It works less well than it could, or will stop to.
pub(crate) fn doubtful(
    about: impl Into<String>,
    said: impl Into<String>,
    way_out: impl Into<String>,
) -> Finding {
    of(Verdict::Doubtful, about, said, way_out)
}

/// It does not work.
pub(crate) fn bad(
    about: impl Into<String>,
    said: impl Into<String>,
    way_out: impl Into<String>,
) -> Finding {
    of(Verdict::Bad, about, said, way_out)
}

/// It cannot be seen from here.
pub(crate) fn unseen(
    about: impl Into<String>,
    said: impl Into<String>,
    way_out: impl Into<String>,
) -> Finding {
    of(Verdict::Unseen, about, said, way_out)
}

fn of(
    verdict: Verdict,
    about: impl Into<String>,
    said: impl Into<String>,
    way_out: impl Into<String>,
) -> Finding {
    Finding { about: about.into(), verdict, said: said.into(), way_out: way_out.into() }
}

impl Finding {
    /// As it is told.
    pub(crate) fn told(self) -> told::Finding {
        told::Finding {
            about: self.about,
            verdict: self.verdict.into(),
            said: bounded(&self.said).to_owned(),
            way_out: self.way_out,
        }
    }
}

/// The room where the launcher keeps what it keeps.
pub(crate) fn disk(path: &Path) -> Finding {
    let about = format!("disk of {}", path.display());
    match statvfs(path) {
        Ok(there) => room(about, there.f_bavail.saturating_mul(there.f_frsize)),
        Err(error) => bad(about, format!("it cannot be looked at: {error}"), WAY_TO_ROOM),
    }
}

/// What gives it more.
const WAY_TO_ROOM: &str = "make room, or move the data directory (--data-dir)";

fn room(about: String, free: u64) -> Finding {
    let said = format!("{} are free", ByteSize(free));
    match free {
        ..NO_ROOM => bad(about, format!("only {said}: builds need more"), WAY_TO_ROOM),
        NO_ROOM..LITTLE_ROOM => doubtful(about, format!("only {said}"), WAY_TO_ROOM),
        _ => good(about, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_on_a_disk() {
        for (free, verdict) in [
            (0, Verdict::Bad),
            (NO_ROOM - 1, Verdict::Bad),
            (NO_ROOM, Verdict::Doubtful),
            (LITTLE_ROOM, Verdict::Good),
        ] {
            let found = room("disk".into(), free);
            assert_eq!(found.verdict, verdict, "{free}");
            assert_eq!(found.way_out.is_empty(), verdict == Verdict::Good);
        }
        let nowhere = disk(Path::new("/no/such/place"));
        assert!(nowhere.said.contains("No such file"), "{nowhere:?}");
        assert_eq!(nowhere.told().verdict(), Verdict::Bad);
    }
}
