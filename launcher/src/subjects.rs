//! The chaincodes that run: what an override in the operator's file can be for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selvedge_config::{Operator, Subject};
use tracing::warn;

use crate::configuration::Configuration;

/// All that run, and how many runs there are of each.
#[derive(Clone, Default)]
pub(crate) struct Subjects(Arc<Mutex<BTreeMap<Subject, usize>>>);

/// That one runs, for as long as this lives.
pub(crate) struct Present {
    subjects: Subjects,
    subject: Subject,
}

impl Subjects {
    /// One runs from now on.
    pub(crate) fn enter(&self, subject: Subject) -> Present {
        *self.lock().entry(subject.clone()).or_default() += 1;
        Present { subjects: self.clone(), subject }
    }

    /// Says of each new file which of its overrides are for none of those that run; never returns.
    pub(crate) async fn look_for_overrides_of_nobody(self, mut configuration: Configuration) {
        loop {
            let operator = configuration.changed().await;
            for line in self.unmatched(&operator) {
                warn!("{line}");
            }
        }
    }

    /// A line for each override that is for none of those that run.
    fn unmatched(&self, operator: &Operator) -> Vec<String> {
        let there: Vec<Subject> = self.lock().keys().cloned().collect();
        let names: Vec<String> =
            there.iter().map(|it| format!("{} of {}", it.label, it.msp)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let line = |number| {
            format!("overrides[{number}] is for no chaincode that runs here; there are: {names}")
        };
        operator.unmatched(&there).into_iter().map(|unmatched| line(unmatched.number)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Subject, usize>> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut subjects = self.subjects.lock();
        if let Some(runs) = subjects.get_mut(&self.subject) {
            *runs -= 1;
            if *runs == 0 {
                subjects.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_for_nobody_is_told_with_who_is_there() {
        let operator = Operator::read(
            b"apiVersion: selvedge/v1\noverrides:\n- match: {label: 'basic_*'}\n  chaincode: {}\n\
              - match: {label: 'other_*'}\n  chaincode: {}\n",
        );
        let operator = operator.unwrap();
        let subjects = Subjects::default();
        assert_eq!(subjects.unmatched(&operator).len(), 2);
        let basic =
            || Subject { label: "basic_1".into(), msp: "Org1MSP".into(), peer: "peer".into() };
        let (one, same) = (subjects.enter(basic()), subjects.enter(basic()));
        let told = "overrides[1] is for no chaincode that runs here; there are: basic_1 of Org1MSP";
        assert_eq!(subjects.unmatched(&operator), [told]);
        drop(one);
        assert_eq!(subjects.unmatched(&operator), [told]);
        drop(same);
        assert_eq!(subjects.unmatched(&operator).len(), 2);
    }
}
