//! The peer's certificates, and the one that it shows a launcher apart: how long they are good.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use selvedge_client::{CERTIFICATE_FILE, Credentials};
use x509_parser::pem::Pem;

use super::finding::Finding;

/// Who has issued a certificate.
#[derive(Clone, Copy, Debug)]
enum Issuer {
    /// The organisation's CA.
    Organisation,
    /// The launcher that it is shown to.
    Launcher,
}

impl Issuer {
    /// What ends within this is to be seen to: a launcher's are short-lived.
    fn soon(self) -> Duration {
        match self {
            Self::Organisation => Duration::from_hours(24 * 30),
            Self::Launcher => Duration::from_hours(24 * 7),
        }
    }

    fn way_out(self) -> &'static str {
        match self {
            Self::Organisation => {
                "have the organisation's CA issue another one, and start the peer again"
            }
            Self::Launcher => "renew it by `selvedge-launcher issue PEER`, where the launcher is",
        }
    }
}

/// The peer's own.
pub(super) fn look(paths: &[PathBuf], now: SystemTime) -> Vec<Finding> {
    let found = |path: &PathBuf| verdict(path, ends(path), Issuer::Organisation, now);
    paths.iter().map(found).collect()
}

/// The one that is shown to a launcher apart.
pub(super) fn shown(credentials: &Credentials, now: SystemTime) -> Finding {
    let path = credentials.directory().join(CERTIFICATE_FILE);
    verdict(&path, ends(&path), Issuer::Launcher, now)
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

fn verdict(path: &Path, ends: Result<i64, String>, issuer: Issuer, now: SystemTime) -> Finding {
    let about = format!("certificate {}", path.display());
    let way_out = issuer.way_out();
    let ends = match ends {
        Ok(ends) => UNIX_EPOCH + Duration::from_secs(ends.try_into().unwrap_or_default()),
        Err(reason) => return Finding::bad(about, reason, "see that the peer's file is there"),
    };
    let date = humantime::format_rfc3339_seconds(ends);
    match ends.duration_since(now) {
        Err(_) => Finding::bad(about, format!("it ended at {date}"), way_out),
        Ok(left) if left < issuer.soon() => {
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
        let by = |issuer, ends| verdict(Path::new("server.crt"), ends, issuer, now);
        let of = |ends| by(Issuer::Organisation, ends);
        for (ends, expected, part) in [
            (1_764_000_000 - 1, Verdict::Bad, "it ended at 2025-11-24T15:59:59Z"),
            (1_764_000_000 + 86_400 * 3, Verdict::Doubtful, "ends in 3 days"),
            (1_764_000_000 + 86_400 * 300, Verdict::Good, "good until"),
        ] {
            let found = of(Ok(ends));
            assert_eq!(found.verdict, expected, "{found:?}");
            assert!(found.said.contains(part), "{found:?}");
        }
        // What lives a month is not seen to from its first day on.
        for (days, expected) in [(3, Verdict::Doubtful), (20, Verdict::Good)] {
            let found = by(Issuer::Launcher, Ok(1_764_000_000 + 86_400 * days));
            assert_eq!(found.verdict, expected, "{found:?}");
        }
        assert_eq!(of(Err("it is no PEM".into())).verdict, Verdict::Bad);
        assert!(ends(Path::new("/no/such/file")).unwrap_err().contains("No such file"));
    }
}
