//! The command `overlay`: arguments as typed → a checked plan → a request to the agent → a table,
//! JSON or a template's text.

mod answer;
mod arguments;
mod attach_options;
mod consent;
mod execute;
mod failure;
mod filter;
mod format;
mod output;
mod pair;
mod plan;
mod publish;
mod resolver;
mod run;
mod stdout;
#[cfg(test)]
mod tests;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use arguments::Arguments;
use clap::Parser;
use plan::Plan;

/// How long draining is waited for: no drain time is longer in practice.
const LONGEST_DRAIN: Duration = Duration::from_hours(24);

/// Runs one command line, program name first, and returns its exit status: 0, 1 for an error, 2 for
/// wrong usage, and what the command of `overlay run` returned.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let plan = Arguments::try_parse_from(typed).and_then(Plan::try_from);
    match plan {
        Ok(plan) => failure::exit_code(execute::execute(plan)),
        Err(usage) => failure::usage(&usage),
    }
}
