//! The security baseline of chaincode's pods, which an overlay lifts only as far as it is allowed:
//! Pod Security `restricted` for every container, and what makes the pod a replica of its run.

mod finding;
mod own;
mod pod;
mod restricted;

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use self::finding::Finding;
pub use self::own::Own;
use self::pod::Pod;
use crate::path::Path;
use selvedge_config::Allowance;

/// Something that an overlay lifted, as it is allowed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifted {
    /// What allows it.
    pub allowance: Allowance,
    /// Where in the merged template it is lifted.
    pub path: Path,
}

/// Something that an overlay must not do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Where in the merged template.
    pub path: Path,
    /// What it does.
    pub reason: String,
    /// What would allow it; `None` where nothing does.
    pub allowance: Option<Allowance>,
}

/// All that an overlay must not do, in the order of the paths; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusals(pub Vec<Refusal>);

/// What an overlay that made one template of another lifted of the baseline. An overlay answers
/// only for what it changes.
pub fn lifted(
    before: &PodTemplateSpec,
    after: &PodTemplateSpec,
    own: &Own<'_>,
    allowed: &BTreeSet<Allowance>,
) -> Result<Vec<Lifted>, Refusals> {
    let (before, after) = (Pod::new(before), Pod::new(after));
    let was = restricted::findings(&before);
    let same =
        |one: &Finding, other: &Finding| one.path == other.path && one.reason == other.reason;
    let new = restricted::findings(&after).into_iter();
    let new = new.filter(|finding| !was.iter().any(|old| same(old, finding)));
    let (mut lifted, mut refused) = (Vec::new(), Vec::new());
    for Finding { path, reason, allowance } in new.chain(own::findings(&before, &after, own)) {
        match allowance.filter(|allowance| allowed.contains(allowance)) {
            Some(allowance) => lifted.push(Lifted { allowance, path }),
            None => refused.push(Refusal { path, reason, allowance }),
        }
    }
    lifted.sort();
    lifted.dedup();
    refused.sort();
    if refused.is_empty() { Ok(lifted) } else { Err(Refusals(refused)) }
}

impl Refusal {
    /// What the overlay does, and what would allow it.
    pub fn message(&self) -> String {
        match self.allowance {
            Some(allowance) => format!("{}; `{allowance}` in `allow` permits it", self.reason),
            None => format!("{}; nothing permits it", self.reason),
        }
    }
}

impl fmt::Display for Lifted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}", self.allowance, self.path)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.message())
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, refusal) in self.0.iter().enumerate() {
            let between = if number == 0 { "" } else { "\n" };
            write!(out, "{between}{refusal}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
