//! The peer's certificates: how long they are good.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::pem::Pem;

use super::finding::Finding;

/// What ends within this is to be seen to.
const SOON: Duration = Duration::from_hours(24 * 30);

pub(super) fn look(paths: &[PathBuf], now: SystemTime) -> Vec<Finding> {
    paths.iter().map(|path| verdict(path, ends(path), now)).collect()
}

/// When the first of those in a file ends, in seconds since 1970.
fn ends(path: &Path) -> Result<i64, String> {
    let bytes = fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut ends = Vec::new();
    for pem in Pem::iter_from_buffer(&bytes) {
        let pem = pem.map_err(|error| format!("it is no PEM: {error}"))?;
        let certificate = pem.parse_x509().map_err(|error| format!("it is damaged: {error}"))?;
        ends.push(certificate.validity().not_after.timestamp());
    }
    ends.into_iter().min().ok_or_else(|| "there is no certificate in it".to_owned())
}

fn verdict(path: &Path, ends: Result<i64, String>, now: SystemTime) -> Finding {
    let about = format!("certificate {}", path.display());
    let way_out = "have the organisation's CA issue another one, and start the peer again";
    let ends = match ends {
        Ok(ends) => UNIX_EPOCH + Duration::from_secs(ends.try_into().unwrap_or_default()),
        Err(reason) => return Finding::bad(about, reason, "see that the peer's file is there"),
    };
    let date = humantime::format_rfc3339_seconds(ends);
    match ends.duration_since(now) {
        Err(_) => Finding::bad(about, format!("it ended at {date}"), way_out),
        Ok(left) if left < SOON => {
            let days = left.as_secs() / (24 * 3600);
            Finding::doubtful(about, format!("it ends in {days} days, at {date}"), way_out)
        }
        Ok(_) => Finding::good(about, format!("it is good until {date}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn how_long_it_is_good() {
        let now = UNIX_EPOCH + Duration::from_hours(490_000);
        let of = |ends| verdict(Path::new("server.crt"), ends, now);
        for (ends, expected, part) in [
            (1_764_000_000 - 1, Verdict::Bad, "it ended at 2025-11-24T15:59:59Z"),
            (1_764_000_000 + 86_400 * 3, Verdict::Doubtful, "ends in 3 days"),
            (1_764_000_000 + 86_400 * 300, Verdict::Good, "good until"),
        ] {
            let found = of(Ok(ends));
            assert_eq!(found.verdict, expected, "{found:?}");
            assert!(found.said.contains(part), "{found:?}");
        }
        assert_eq!(of(Err("it is no PEM".into())).verdict, Verdict::Bad);
        assert!(ends(Path::new("/no/such/file")).unwrap_err().contains("No such file"));
    }
}
