//! Why a packet would arrive or not: walks through the maps as the programs do, and says which step
//! decides.

mod arriving;
mod delivery;
mod leaving;
mod outside;
mod question;
mod steps;

use question::Question;
use steps::Steps;

use crate::{
    agent::{shared::Shared, traffic::inspect},
    api::{ApiError, types::Explanation},
};

/// Explains what would become of a packet.
pub(super) fn explain(
    shared: &Shared,
    source: &str,
    destination: &str,
    network: Option<&str>,
) -> Result<Explanation, ApiError> {
    let question = Question::resolve(shared, source, destination, network)?;
    let inspector = inspect(shared).map_err(|error| ApiError::internal(&error))?;
    let mut steps = Steps::default();
    let walked = match (&question.source.endpoint, &question.destination.endpoint) {
        (Some(_), _) => leaving::walk(shared, &inspector, &question, &mut steps),
        (None, Some(_)) => arriving::walk(shared, &inspector, &question, &mut steps),
        (None, None) => return Err(question.nobody_here()),
    };
    let arrives = walked.map_err(|error| ApiError::internal(&error))?;
    Ok(Explanation {
        source: question.source.to_string(),
        destination: question.destination.to_string(),
        network: question.network.name.clone(),
        arrives,
        steps: steps.into_vec(),
    })
}
