//! From a plan to printed text and an exit status.

use std::{pin::pin, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;
use futures_util::StreamExt as _;
use tokio::runtime;

use super::{
    answer::{Answer, answer},
    arguments::Arguments,
    consent,
    failure::warn,
    format::Format,
    output,
    plan::{Action, Plan},
    run::run,
    stdout::{Printed, print},
};
use crate::api::Client;

/// Does it on a runtime of one thread: namespaces belong to threads.
pub(super) fn execute(plan: Plan) -> anyhow::Result<ExitCode> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the asynchronous runtime")?;
    runtime.block_on(perform(plan))
}

async fn perform(plan: Plan) -> anyhow::Result<ExitCode> {
    let client = Client::new(&plan.run_dir);
    match plan.action {
        Action::Ask(question) => {
            if let Some(warning) = question.warning() {
                consent::ask(warning)?;
            }
            tell(&answer(&client, question, plan.format).await?)
        }
        Action::Monitor => monitor(&client, &plan.format.unwrap_or(Format::Table)).await,
        Action::Run(wish) => run(&client, &plan.run_dir, wish).await,
        Action::Completions(shell) => completions(shell),
    }
}

fn tell(answer: &Answer) -> anyhow::Result<ExitCode> {
    put(&answer.text)?;
    for warning in &answer.warnings {
        warn(&format!("warning: {warning}"));
    }
    for problem in &answer.problems {
        warn(problem);
    }
    let is_bad = answer.is_bad || !answer.problems.is_empty();
    Ok(ExitCode::from(u8::from(is_bad)))
}

fn put(text: &str) -> anyhow::Result<Printed> {
    print(text).context("write to standard output")
}

/// Prints events until the reader goes or the agent stops.
async fn monitor(client: &Client, format: &Format) -> anyhow::Result<ExitCode> {
    let mut events = pin!(client.events().await?);
    while let Some(event) = events.next().await {
        match put(&output::event(&event?, format)?)? {
            Printed::All => {}
            Printed::NobodyReads => return Ok(ExitCode::SUCCESS),
        }
    }
    bail!("the agent stopped")
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "overlay", &mut script);
    put(&String::from_utf8(script).context("BUG: the completion script is no text")?)?;
    Ok(ExitCode::SUCCESS)
}
