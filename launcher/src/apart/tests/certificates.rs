//! The authority, and what it issues.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use clap::Parser;
use time::{Duration, OffsetDateTime};

use super::super::authority::Authority;
use super::super::certifier::Certifier;
use super::super::given::Given;
use super::scene::{file, issuing};
use crate::configuration::Configuration;
use crate::settings::Settings;

#[test]
fn the_launchers_certificate_is_made_anew_before_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::open(&directory.path().join("authority")).unwrap();
    let certifier = Certifier::new(authority, Configuration::of(&file("[]"))).unwrap();
    let now = OffsetDateTime::now_utc();
    let at = |days| certifier.at(now + Duration::days(days)).cert[0].to_vec();
    let first = at(0);
    assert_eq!(at(3), first);
    let second = at(4);
    assert_ne!(second, first);
    assert_eq!(at(7), second);
}

#[test]
fn an_authority_is_made_once_and_anothers_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/authority");
    let open = || Authority::open(&path).map(|authority| authority.root().to_owned());
    let made = open().unwrap();
    assert_eq!(open().unwrap(), made);
    let mode = fs::metadata(path.join("tls.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let other = directory.path().join("other");
    Authority::open(&other).unwrap();
    fs::copy(other.join("tls.key"), path.join("tls.key")).unwrap();
    let refused = open().unwrap_err().to_string();
    assert!(refused.contains("does not hold an authority that a launcher has made"), "{refused}");
    fs::remove_file(path.join("tls.crt")).unwrap();
    assert!(open().unwrap_err().to_string().contains("tls.crt"));
}

#[test]
fn credentials_are_a_secret_too_and_short_lived() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let authority = Authority::open(&directory.path().join("authority")).unwrap();
    let issued = authority.peer(&"peer0".parse().unwrap(), Duration::days(30)).unwrap();
    let secret = Given { root: authority.root().to_owned(), issued }.secret("peer0-launcher");
    assert_eq!(secret["metadata"]["name"], "peer0-launcher");
    for file in ["ca.crt", "tls.crt", "tls.key"] {
        assert!(secret["stringData"][file].as_str().unwrap().starts_with("-----BEGIN "), "{file}");
    }
    for life in ["0s", "366d"] {
        let issue = issuing(&["peer0", "--secret", "s", "--for", life, "--data-dir", data]);
        let refused = issue.run().unwrap_err().to_string();
        assert!(refused.contains("365 days at most"), "{life}: {refused}");
    }
    for wrong in [&["peer0"][..], &["a peer", "--to", "x"], &["p", "--to", "x", "--secret", "s"]] {
        let typed = ["selvedge-launcher", "issue"].iter().chain(wrong);
        assert!(Settings::try_parse_from(typed).is_err(), "{wrong:?}");
    }
}
