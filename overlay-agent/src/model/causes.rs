//! Errors in one line.

/// An error with its causes, the outermost first.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    let told: Vec<String> = causes.map(ToString::to_string).collect();
    told.join(": ")
}
