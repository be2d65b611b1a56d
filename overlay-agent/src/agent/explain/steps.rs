//! The steps of an explanation, as they are made.

use crate::api::types::{Step, StepVerdict};

/// Steps so far.
#[derive(Debug, Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    /// The packet passes.
    pub(super) fn pass(&mut self, step: &str, detail: impl Into<String>) {
        self.push(step, StepVerdict::Ok, detail);
    }

    /// Worth knowing.
    pub(super) fn note(&mut self, step: &str, detail: impl Into<String>) {
        self.push(step, StepVerdict::Note, detail);
    }

    /// The packet ends here; returns whether it arrives, for the caller to return.
    pub(super) fn stop(&mut self, step: &str, detail: impl Into<String>) -> bool {
        self.push(step, StepVerdict::Stop, detail);
        false
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Step> {
        self.0
    }

    fn push(&mut self, step: &str, verdict: StepVerdict, detail: impl Into<String>) {
        self.0.push(Step {
            step: step.to_owned(),
            verdict,
            detail: detail.into(),
        });
    }
}
