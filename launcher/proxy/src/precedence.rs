//! Whether the proxy's thread takes the processor from whoever runs when a message wakes it.

use thread_priority::unix::{
    NormalThreadSchedulePolicy as Policy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{Error, ThreadPriority, ThreadPriorityValue};
use tracing::debug;

/// The way in which the kernel wakes the thread that uses it (sched(7)).
#[derive(Debug, Default)]
pub(crate) struct Precedence {
    lets_others_finish: bool,
    /// The kernel, or what confines this process, does not allow to change it.
    is_fixed: bool,
}

impl Precedence {
    /// With `SCHED_BATCH` a thread that is woken runs when a processor is free or its own turn has
    /// come, and not in the middle of another's; its share of time is the same. Costs a system
    /// call where something changes.
    pub(crate) fn let_others_finish(&mut self, lets: bool) {
        if self.is_fixed || lets == self.lets_others_finish {
            return;
        }
        self.lets_others_finish = lets;
        if let Err(error) = set(if lets { Policy::Batch } else { Policy::Other }) {
            // All goes on as before, a little slower.
            debug!("the kernel did not change when the proxy's thread runs: {error}");
            self.is_fixed = true;
        }
    }
}

fn set(policy: Policy) -> Result<(), Error> {
    let policy = ThreadSchedulePolicy::Normal(policy);
    let priority =
        as_nice_as_now(policy).ok_or(Error::Priority("this process's niceness cannot be kept"))?;
    set_thread_priority_and_policy(thread_native_id(), priority, policy)
}

/// The priority that leaves the niceness as it is: whoever started this process chose it.
fn as_nice_as_now(policy: ThreadSchedulePolicy) -> Option<ThreadPriority> {
    let niceness = rustix::process::getpriority_process(None).ok()?;
    // The library counts from 0 to 99, and turns that into a niceness from 20 to -20.
    (0..=99)
        .filter_map(|value: u8| ThreadPriorityValue::try_from(value).ok())
        .map(ThreadPriority::Crossplatform)
        .find(|priority| priority.to_posix(policy).is_ok_and(|posix| posix == niceness))
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;
    use thread_priority::unix::thread_schedule_policy;

    use super::*;

    fn policy() -> ThreadSchedulePolicy {
        thread_schedule_policy().unwrap()
    }

    #[test]
    fn changes_when_it_runs_and_not_how_much() {
        let niceness = getpriority_process(None).unwrap();
        let mut precedence = Precedence::default();
        for (lets, expected) in [(true, Policy::Batch), (false, Policy::Other)] {
            precedence.let_others_finish(lets);
            assert_eq!(policy(), ThreadSchedulePolicy::Normal(expected));
            assert_eq!(getpriority_process(None).unwrap(), niceness);
            assert!(!precedence.is_fixed);
        }
    }

    #[test]
    fn every_niceness_can_be_kept() {
        let batch = ThreadSchedulePolicy::Normal(Policy::Batch);
        let kept: std::collections::BTreeSet<i32> = (0..=99_u8)
            .filter_map(|value| ThreadPriorityValue::try_from(value).ok())
            .filter_map(|value| ThreadPriority::Crossplatform(value).to_posix(batch).ok())
            .collect();
        for niceness in -20..=19 {
            assert!(kept.contains(&niceness), "{niceness}");
        }
    }
}
