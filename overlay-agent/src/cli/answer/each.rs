//! One question for each of several names.

use crate::{api::ClientError, cli::failure};

/// What was answered, and refusals as they are told.
pub(super) struct Answered<T> {
    /// In the order of the names.
    pub(super) answers: Vec<T>,
    pub(super) problems: Vec<String>,
}

/// Asks about one name after the other. A refusal does not keep the others from being asked; that
/// nobody answers does.
pub(super) async fn each<T>(
    names: &[String],
    ask: impl AsyncFn(&str) -> Result<T, ClientError>,
) -> Result<Answered<T>, ClientError> {
    let mut answers = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match ask(name).await {
            Ok(answer) => answers.push(answer),
            Err(error @ ClientError::Refused(_)) => problems.push(failure::message(&error.into())),
            Err(error) => return Err(error),
        }
    }
    Ok(Answered { answers, problems })
}
