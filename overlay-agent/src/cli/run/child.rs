//! The command itself.

use std::{
    ffi::OsStr,
    io,
    os::unix::process::ExitStatusExt as _,
    pin::pin,
    process::{ExitCode, ExitStatus},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::signals::Signals;
use crate::cli::failure::warn;

/// What shells return for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;
/// What shells add to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

/// Signals by which others ask a command to end.
const ENDING: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// Starts the command, passes signals on, and returns its status when it has ended. The first signal that asks it to
/// end waits for `farewell`; the next one does not.
pub(super) async fn supervise(
    program: &OsStr,
    arguments: &[impl AsRef<OsStr>],
    signals: &mut Signals,
    farewell: impl Future<Output = ()>,
) -> anyhow::Result<ExitCode> {
    let mut farewell = pin!(farewell);
    let mut held = None;
    let mut is_asked = false;
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => return Ok(not_started(program, &error)),
    };
    loop {
        tokio::select! {
            status = child.wait() => return status.map(code).context("wait for the command"),
            signal = signals.next() => {
                if ENDING.contains(&signal) && !is_asked {
                    is_asked = true;
                    held = Some(signal);
                } else {
                    pass_on(&child, signal)?;
                }
            }
            () = &mut farewell, if held.is_some() => {
                if let Some(signal) = held.take() {
                    pass_on(&child, signal)?;
                }
            }
        }
    }
}

fn not_started(program: &OsStr, error: &io::Error) -> ExitCode {
    warn(&format!("run `{}`: {error}", program.display()));
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    ExitCode::from(if is_missing { NOT_FOUND } else { NOT_RUNNABLE })
}

fn pass_on(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let Some(id) = child.id() else {
        return Ok(());
    };
    let pid = Pid::from_raw(i32::try_from(id).context("BUG: a process id out of range")?);
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("pass {signal} on to the command")),
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(SIGNALLED + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
