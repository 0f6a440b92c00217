//! The security baseline of chaincode's pods, which an overlay lifts only as far as it is allowed:
//! Pod Security `restricted` for every container, and what makes the pod a replica of its run.

mod own;
mod pod;
mod restricted;

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use self::pod::Pod;
use crate::allowance::Allowance;
use crate::path::Path;

/// What in a chaincode's template is the launcher's own.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The container that runs the chaincode.
    pub container: &'a str,
    /// The init container that waits for the way to the proxy.
    pub gate: &'a str,
    /// The volume with the replicas' credentials.
    pub credentials: &'a str,
    /// The name by which replicas reach their proxy.
    pub host: &'a str,
    /// The variables that make the chaincode a replica.
    pub environment: &'a [&'a str],
    /// The labels by which the pod, and its network policy, are found.
    pub labels: &'a [&'a str],
    /// The annotations that tell one run's pods from another's.
    pub annotations: &'a [&'a str],
}

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

/// Something that is not of the baseline.
struct Finding {
    path: Path,
    reason: String,
    allowance: Option<Allowance>,
}

impl Finding {
    fn lifts(allowance: Allowance, path: Path, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into(), allowance: Some(allowance) }
    }

    /// What no allowance permits.
    fn breaks(path: Path, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into(), allowance: None }
    }
}

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

impl fmt::Display for Lifted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}", self.allowance, self.path)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}; ", self.path, self.reason)?;
        match self.allowance {
            Some(allowance) => write!(out, "`{allowance}` in `allow` permits it"),
            None => out.write_str("nothing permits it"),
        }
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
