//! The launcher: whether it answers, of which release it is, and what it finds where it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use selvedge_client::{Address, LauncherError};
use selvedge_proto::launcher::{self as told, ExamineRequest, ExamineResponse};

use super::finding::{Finding, Verdict};

/// By how much its clock may differ, which it tells some moments after it looked at it.
const APART: Duration = Duration::from_secs(30);

/// How long it may look around: it gives up what takes 25 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks it.
pub(super) fn ask(address: Result<Address, LauncherError>) -> anyhow::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for the launcher's answer")?;
    let answer = runtime.block_on(async {
        let address = address?;
        let mut launcher = address.connect().await?;
        address.answer_within(PATIENCE, launcher.examine(ExamineRequest {})).await
    });
    Ok(match answer {
        Ok(answer) => found(answer, SystemTime::now()),
        Err(error) => vec![absent(&error)],
    })
}

/// Its errors name the way out.
fn absent(error: &LauncherError) -> Finding {
    let reason = std::error::Error::source(error).map(|source| format!(": {source}"));
    Finding::bad("launcher", format!("{error}{}", reason.unwrap_or_default()), "")
}

fn found(answer: ExamineResponse, now: SystemTime) -> Vec<Finding> {
    let ExamineResponse { version, backend, clock, findings } = answer;
    let own = env!("CARGO_PKG_VERSION");
    let release = if version == own {
        Finding::good("launcher", format!("{version} answers, with the backend {backend}"))
    } else {
        Finding::bad(
            "launcher",
            format!("it is of release {version}, and this is {own}"),
            "install builders, launcher and command line of one release",
        )
    };
    let clock = UNIX_EPOCH + Duration::from_millis(clock.try_into().unwrap_or_default());
    let apart = clock.duration_since(now).unwrap_or_else(|error| error.duration());
    let clock = (apart > APART).then(|| {
        Finding::doubtful(
            "launcher's clock",
            format!("it and this machine's are {} s apart", apart.as_secs()),
            "have both set (NTP): certificates are good from the moment on in which they were made",
        )
    });
    let theirs = findings.into_iter().map(taken);
    [release].into_iter().chain(clock).chain(theirs).collect()
}

fn taken(found: told::Finding) -> Finding {
    let verdict = match found.verdict() {
        told::Verdict::Good => Verdict::Good,
        told::Verdict::Doubtful => Verdict::Doubtful,
        told::Verdict::Bad => Verdict::Bad,
        told::Verdict::Unseen | told::Verdict::Unspecified => Verdict::Unseen,
    };
    Finding::of(verdict, found.about, found.said, found.way_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_told_with_what_it_is() {
        let now = UNIX_EPOCH + Duration::from_hours(490_000);
        let theirs = told::Finding {
            about: "disk".into(),
            verdict: told::Verdict::Bad.into(),
            said: "full".into(),
            way_out: "make room".into(),
        };
        let answer = |version: &str, clock: i64| ExamineResponse {
            version: version.into(),
            backend: "local".into(),
            clock,
            findings: vec![theirs.clone()],
        };
        let verdicts = |answer| {
            let found = found(answer, now);
            found.into_iter().map(|found| (found.about, found.verdict)).collect::<Vec<_>>()
        };
        let own = env!("CARGO_PKG_VERSION");
        let disk = || ("disk".to_owned(), Verdict::Bad);
        assert_eq!(
            verdicts(answer(own, 1_764_000_001_000)),
            [("launcher".to_owned(), Verdict::Good), disk()]
        );
        assert_eq!(
            verdicts(answer("0.0.1", 1_763_990_000_000)),
            [
                ("launcher".to_owned(), Verdict::Bad),
                ("launcher's clock".to_owned(), Verdict::Doubtful),
                disk()
            ]
        );
    }
}
