//! How commands end: exit codes and messages on standard error.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use crate::api::ClientError;

/// The status of wrong usage.
const USAGE: u8 = 2;

/// Prints clap's message, or help and version, where they belong.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // Nowhere to tell that printing failed.
    let code = error.print().map_or(USAGE.into(), |()| error.exit_code());
    ExitCode::from(u8::try_from(code).unwrap_or(USAGE))
}

/// The exit status of a result; an error is told with its causes and the way out.
pub(super) fn exit_code(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            warn(&message(&error));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line on standard error; a closed one is nobody's concern.
pub(super) fn warn(text: &str) {
    let told = writeln!(io::stderr().lock(), "overlay: {text}");
    drop(told);
}

/// The error with its causes; the agent's advice on a line of its own.
pub(super) fn message(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let mut causes = error.chain();
    let help = causes.find_map(|cause| cause.downcast_ref::<ClientError>()?.help());
    match help {
        Some(help) => format!("{text}\n  → {help}"),
        None => text,
    }
}
