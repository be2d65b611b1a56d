//! Why a packet would arrive or not.

use crate::api::types::{Explanation, StepVerdict};

/// The question, a line for each step, and the answer.
pub(in crate::cli) fn explanation(explanation: &Explanation) -> String {
    let Explanation {
        source,
        destination,
        network,
        arrives,
        steps,
    } = explanation;
    let width = steps.iter().map(|step| step.step.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = vec![format!("{source} → {destination} on {network}")];
    for step in steps {
        let (mark, name, detail) = (mark(step.verdict), &step.step, &step.detail);
        lines.push(format!("{mark} {name:<width$}  {detail}"));
    }
    let answer = if *arrives {
        "the packet arrives, as far as this node can tell\n"
    } else {
        "the packet does not arrive\n"
    };
    lines.push(answer.to_owned());
    lines.join("\n")
}

fn mark(verdict: StepVerdict) -> &'static str {
    match verdict {
        StepVerdict::Ok => "✓",
        StepVerdict::Note => "!",
        StepVerdict::Stop => "✗",
    }
}
