//! Asks the agent and puts its answer into words.

mod each;
mod endpoint;
mod network;
mod node;
mod service;
mod swarm;

use super::{
    format::Format,
    output::{self, OutputError},
    plan::{List, Question},
};
use crate::api::{
    Client, ClientError,
    types::{Check, CheckVerdict},
};

/// What to print.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// For standard output.
    pub(super) text: String,
    /// What is odd, though all was done, for standard error.
    pub(super) warnings: Vec<String>,
    /// What could not be done while the rest was, for standard error.
    pub(super) problems: Vec<String>,
    /// The question was answered, but not as one would like.
    pub(super) is_bad: bool,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

/// Asks and answers; `format` is what `--format` says.
pub(super) async fn answer(
    client: &Client,
    question: Question,
    format: Option<Format>,
) -> anyhow::Result<Answer> {
    let (format, inspecting) = match format {
        Some(format) => (format.clone(), format),
        None => (Format::Table, Format::Json),
    };
    Ok(match question {
        Question::Attach { request, is_quiet } => {
            endpoint::attach(client, &request, is_quiet, &format).await?
        }
        Question::Detach {
            endpoints,
            network,
            is_planned,
        } => {
            if is_planned {
                endpoint::drain(client, &endpoints, network.as_deref()).await;
            }
            endpoint::detach(client, &endpoints, network.as_deref(), &format).await?
        }
        Question::ListEndpoints(list) => listed(&client.endpoints().await?, list, &format)?.into(),
        Question::InspectEndpoints(names) => endpoint::inspect(client, &names, &inspecting).await?,
        Question::Network(question) => {
            network::network(client, question, &format, &inspecting).await?
        }
        Question::AttachTask {
            service,
            request,
            is_quiet,
        } => endpoint::attach_task(client, &service, &request, is_quiet, &format).await?,
        Question::Service(question) => {
            service::service(client, question, &format, &inspecting).await?
        }
        Question::Node(question) => node::node(client, question, &format, &inspecting).await?,
        Question::Swarm(question) => swarm::swarm(client, question, &format).await?,
        Question::Status => {
            output::document(&client.status().await?, &format, output::status)?.into()
        }
        Question::Doctor => doctor(client, &format).await?,
        Question::Stats { with_zeroes } => {
            let as_text = |stats: &_| output::stats(stats, with_zeroes);
            output::document(&client.stats().await?, &format, as_text)?.into()
        }
        Question::Explain {
            source,
            destination,
            network,
        } => {
            let told = client
                .explain(&source, &destination, network.as_deref())
                .await?;
            Answer {
                text: output::document(&told, &format, output::explanation)?,
                is_bad: !told.arrives,
                ..Answer::default()
            }
        }
        Question::Audit => output::document(&client.audit().await?, &format, output::audit)?.into(),
    })
}

fn listed<R: output::Row>(rows: &[R], list: List, format: &Format) -> Result<String, OutputError> {
    if list.is_quiet {
        Ok(output::handles(rows, list.in_full))
    } else {
        output::rows(rows, format, list.in_full)
    }
}

/// A missing agent is the first thing that a doctor finds.
async fn doctor(client: &Client, format: &Format) -> anyhow::Result<Answer> {
    let checks = match client.doctor().await {
        Ok(checks) => checks,
        Err(error @ ClientError::NotRunning { .. }) => vec![Check {
            name: "agent".to_owned(),
            verdict: CheckVerdict::Fail,
            detail: error.to_string(),
            remedy: error.help(),
        }],
        Err(error) => return Err(error.into()),
    };
    Ok(Answer {
        text: output::list(&checks, format, output::checks)?,
        is_bad: checks
            .iter()
            .any(|check| check.verdict == CheckVerdict::Fail),
        ..Answer::default()
    })
}
