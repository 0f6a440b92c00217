//! What chaincodes have written, and what was said of them: kept for a while after their runs, too,
//! since one that does not come up is asked about when it is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selvedge_manifest::label;

use crate::kept_lines::KeptLines;

/// Of how many chaincodes something is kept, beyond those that run.
const CHAINCODES: usize = 64;

/// The logs of a launcher's chaincodes, by package ID.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs(Arc<Mutex<HashMap<String, Arc<KeptLines>>>>);

/// Why there is no log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLog {
    #[error(
        "no chaincode {0} was run by this launcher since it started; `selvedge status` has those that run"
    )]
    Unknown(String),
    #[error("{} packages have the label {label}, name one by its package ID: {}", .packages.len(), .packages.join(", "))]
    Several { label: String, packages: Vec<String> },
}

impl Logs {
    /// That of a package, which is begun with the first run of it.
    pub(crate) fn of(&self, package_id: &str) -> Arc<KeptLines> {
        let mut logs = self.logs();
        if let Some(log) = logs.get(package_id) {
            return Arc::clone(log);
        }
        if logs.len() >= CHAINCODES {
            // Of one that runs there is another hand on it.
            let at_rest = logs.iter().filter(|(_, log)| Arc::strong_count(log) == 1);
            let oldest = at_rest.min_by_key(|(_, log)| log.last_at()).map(|(id, _)| id.clone());
            oldest.map(|id| logs.remove(&id));
        }
        let log = Arc::new(KeptLines::default());
        logs.insert(package_id.to_owned(), Arc::clone(&log));
        log
    }

    /// That of the package with this ID, or of the only one with this label.
    pub(crate) fn find(&self, named: &str) -> Result<Arc<KeptLines>, NoLog> {
        let logs = self.logs();
        if let Some(log) = logs.get(named) {
            return Ok(Arc::clone(log));
        }
        let mut packages: Vec<_> = logs.iter().filter(|(id, _)| label(id) == named).collect();
        packages.sort_unstable_by_key(|(id, _)| *id);
        match &packages[..] {
            [] => Err(NoLog::Unknown(named.to_owned())),
            [(_, log)] => Ok(Arc::clone(log)),
            several => Err(NoLog::Several {
                label: named.to_owned(),
                packages: several.iter().map(|(id, _)| (*id).clone()).collect(),
            }),
        }
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<String, Arc<KeptLines>>> {
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
        let basic = logs.of("basic:01");
        assert!(Arc::ptr_eq(&basic, &logs.of("basic:01")));
        assert!(Arc::ptr_eq(&basic, &logs.find("basic").unwrap()));
        logs.of("basic:02");
        assert!(Arc::ptr_eq(&basic, &logs.find("basic:01").unwrap()));
        let several = logs.find("basic").unwrap_err().to_string();
        assert!(several.ends_with("basic:01, basic:02"), "{several}");
        assert_eq!(logs.find("other").unwrap_err(), NoLog::Unknown("other".into()));
    }

    #[test]
    fn of_those_that_run_no_more_the_oldest_go() {
        let logs = Logs::default();
        let runs = logs.of("runs:01");
        for number in 0..CHAINCODES {
            let log = logs.of(&format!("ended:{number}"));
            log.push(&"".into(), "it ended");
        }
        assert_eq!(logs.logs().len(), CHAINCODES);
        assert!(Arc::ptr_eq(&runs, &logs.find("runs").unwrap()));
        assert!(logs.find("ended:0").is_err());
        assert!(logs.find("ended:1").is_ok());
    }
}
