//! What chaincodes have written, and what was said of them: kept for a while after their runs, too,
//! since one that does not come up is asked about when it is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selvedge_manifest::label;

use crate::kept_lines::KeptLines;

/// Of how many chaincodes something is kept, beyond those that run.
const CHAINCODES: usize = 64;

/// The logs of a launcher's chaincodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs(Arc<Mutex<HashMap<Key, Arc<KeptLines>>>>);

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    package_id: String,
    /// The peer that has called for it from apart; empty for the one beside.
    peer: String,
}

/// Why there is no log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLog {
    #[error(
        "no chaincode {0} was run by this launcher since it started; `selvedge status` has those that run"
    )]
    Unknown(String),
    #[error("{} packages have the label {label}, name one by its package ID: {}", .packages.len(), .packages.join(", "))]
    Several { label: String, packages: Vec<String> },
    #[error("several peers have chaincode {named}, name one by --peer: {}", .peers.join(", "))]
    OfSeveral { named: String, peers: Vec<String> },
}

impl Logs {
    /// That of a package for a peer, which is begun with the first run of it.
    pub(crate) fn of(&self, peer: &str, package_id: &str) -> Arc<KeptLines> {
        let key = Key { package_id: package_id.to_owned(), peer: peer.to_owned() };
        let mut logs = self.logs();
        if let Some(log) = logs.get(&key) {
            return Arc::clone(log);
        }
        if logs.len() >= CHAINCODES {
            // Of one that runs there is another hand on it.
            let at_rest = logs.iter().filter(|(_, log)| Arc::strong_count(log) == 1);
            let oldest = at_rest.min_by_key(|(_, log)| log.last_at()).map(|(key, _)| key.clone());
            oldest.map(|key| logs.remove(&key));
        }
        let log = Arc::new(KeptLines::default());
        logs.insert(key, Arc::clone(&log));
        log
    }

    /// That of the package with this ID, or of the only one with this label: of one peer, or of all.
    pub(crate) fn find(&self, peer: Option<&str>, named: &str) -> Result<Arc<KeptLines>, NoLog> {
        let logs = self.logs();
        let of_peer = |(key, _): &(&Key, &Arc<KeptLines>)| peer.is_none_or(|peer| key.peer == peer);
        let mut found: Vec<_> = logs.iter().filter(of_peer).collect();
        if found.iter().any(|(key, _)| key.package_id == named) {
            found.retain(|(key, _)| key.package_id == named);
        } else {
            found.retain(|(key, _)| label(&key.package_id) == named);
        }
        found.sort_unstable_by_key(|(key, _)| *key);
        let named = named.to_owned();
        match &found[..] {
            [] => Err(NoLog::Unknown(named)),
            [(_, log)] => Ok(Arc::clone(log)),
            [(first, _), rest @ ..]
                if rest.iter().all(|(key, _)| key.package_id == first.package_id) =>
            {
                let peers = found.iter().map(|(key, _)| key.peer.clone()).collect();
                Err(NoLog::OfSeveral { named, peers })
            }
            several => {
                let mut packages: Vec<_> =
                    several.iter().map(|(key, _)| key.package_id.clone()).collect();
                packages.dedup();
                Err(NoLog::Several { label: named, packages })
            }
        }
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<Key, Arc<KeptLines>>> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_by_its_package_id_or_its_label() {
        let logs = Logs::default();
        let basic = logs.of("", "basic:01");
        assert!(Arc::ptr_eq(&basic, &logs.of("", "basic:01")));
        assert!(Arc::ptr_eq(&basic, &logs.find(None, "basic").unwrap()));
        logs.of("", "basic:02");
        assert!(Arc::ptr_eq(&basic, &logs.find(None, "basic:01").unwrap()));
        let several = logs.find(None, "basic").unwrap_err().to_string();
        assert!(several.ends_with("basic:01, basic:02"), "{several}");
        assert_eq!(logs.find(None, "other").unwrap_err(), NoLog::Unknown("other".into()));
    }

    #[test]
    fn each_peers_are_its_own() {
        let logs = Logs::default();
        let [one, other] = ["peer0", "peer1"].map(|peer| logs.of(peer, "basic:01"));
        for named in ["basic", "basic:01"] {
            assert!(Arc::ptr_eq(&one, &logs.find(Some("peer0"), named).unwrap()));
            assert!(Arc::ptr_eq(&other, &logs.find(Some("peer1"), named).unwrap()));
            let unknown = NoLog::Unknown(named.into());
            assert_eq!(logs.find(Some("peer2"), named).unwrap_err(), unknown);
            let several = logs.find(None, named).unwrap_err().to_string();
            assert!(several.ends_with("by --peer: peer0, peer1"), "{several}");
        }
    }

    #[test]
    fn of_those_that_run_no_more_the_oldest_go() {
        let logs = Logs::default();
        let runs = logs.of("", "runs:01");
        for number in 0..CHAINCODES {
            let log = logs.of("", &format!("ended:{number}"));
            log.push(&"".into(), "it ended");
        }
        assert_eq!(logs.logs().len(), CHAINCODES);
        assert!(Arc::ptr_eq(&runs, &logs.find(None, "runs").unwrap()));
        assert!(logs.find(None, "ended:0").is_err());
        assert!(logs.find(None, "ended:1").is_ok());
    }
}
