//! `Examine`: what the launcher needs, looked at, for `selvedge doctor`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use selvedge_proto::launcher::ExamineResponse;
use tokio::time::timeout;

use super::shared::Shared;
use crate::caller::Caller;
use crate::examination::{Finding, bad, disk, doubtful, good};

/// How long a backend may look around.
const LIMIT: Duration = Duration::from_secs(25);

pub(super) async fn examine(shared: &Shared, caller: &Caller) -> ExamineResponse {
    let findings = match caller {
        Caller::Beside => found(shared).await,
        // What it needs is a matter between it and its operator.
        Caller::Peer(peer) => {
            vec![good("certificate", format!("the launcher knows this peer as {peer}"))]
        }
    };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    ExamineResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: shared.configuration.now().backend().to_string(),
        clock: clock.try_into().unwrap_or(i64::MAX),
        findings: findings.into_iter().map(Finding::told).collect(),
    }
}

/// What the launcher needs of its machine or cluster.
async fn found(shared: &Shared) -> Vec<Finding> {
    let mut findings = vec![file(shared.configuration.refusal())];
    match shared.entrance.now() {
        Ok(works) => {
            findings.push(disk(works.data.path()));
            match timeout(LIMIT, works.backend.examine()).await {
                Ok(found) => findings.extend(found),
                Err(_) => findings.push(bad(
                    "backend",
                    format!("it could not be looked at within {} s", LIMIT.as_secs()),
                    "look into the launcher's log for what does not answer",
                )),
            }
        }
        Err(reason) => findings.push(bad(
            "launcher",
            reason.to_string(),
            "look into the launcher's log, and start it again when that is put right",
        )),
    }
    findings
}

fn file(refusal: Option<String>) -> Finding {
    match refusal {
        None => good("operator's file", "what it says is in force"),
        Some(reason) => doubtful(
            "operator's file",
            format!("it is refused, what was in force stays: {}", reason.replace('\n', "; ")),
            "put it right; `selvedge config check` finds every fault",
        ),
    }
}
