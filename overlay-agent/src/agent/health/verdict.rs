//! From single tries to what a task is told to be.

use crate::model::TaskState;

/// What the tries so far say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    state: TaskState,
    failures: u32,
    retries: u32,
}

impl Verdict {
    /// So many failures in a row make a task unhealthy.
    pub(super) fn new(begins: TaskState, retries: u32) -> Self {
        Self {
            state: begins,
            failures: 0,
            retries: retries.max(1),
        }
    }

    /// One more try; returns the state if it is another one now. One success is enough, also for a task
    /// that begins: until then it fails as often as it likes.
    pub(super) fn observe(&mut self, is_success: bool) -> Option<TaskState> {
        let before = self.state;
        if is_success {
            self.failures = 0;
            self.state = TaskState::Running;
        } else {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= self.retries && before == TaskState::Running {
                self.state = TaskState::Unhealthy;
            }
        }
        (self.state != before).then_some(self.state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn states(begins: TaskState, retries: u32, tries: &[bool]) -> Vec<Option<TaskState>> {
        let mut verdict = Verdict::new(begins, retries);
        tries
            .iter()
            .map(|is_success| verdict.observe(*is_success))
            .collect()
    }

    #[test]
    fn a_task_begins_with_its_first_success() {
        let said = states(TaskState::Starting, 2, &[false, false, false, true, true]);

        assert_eq!(said, [None, None, None, Some(TaskState::Running), None]);
    }

    #[test]
    fn as_many_failures_in_a_row_as_are_allowed_make_it_unhealthy() {
        let tries = [false, false, true, false, false, false, false, true];

        let said = states(TaskState::Running, 3, &tries);

        let unhealthy = Some(TaskState::Unhealthy);
        let running = Some(TaskState::Running);
        assert_eq!(
            said,
            [None, None, None, None, None, unhealthy, None, running]
        );
    }

    #[test]
    fn no_retries_means_the_first_failure_counts() {
        assert_eq!(
            states(TaskState::Running, 0, &[false]),
            [Some(TaskState::Unhealthy)]
        );
    }

    proptest! {
        #[test]
        fn a_change_is_told_once(tries in prop::collection::vec(any::<bool>(), 0..50), retries in 0_u32..5) {
            let said: Vec<TaskState> =
                states(TaskState::Starting, retries, &tries).into_iter().flatten().collect();

            prop_assert!(said.windows(2).all(|pair| pair[0] != pair[1]));
            prop_assert!(said.first().is_none_or(|first| *first == TaskState::Running));
        }
    }
}
