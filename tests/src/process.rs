//! Child processes: commands that are waited for, and daemons that end with their guard.
//!
//! Every child gets a process group of its own, so a Ctrl-C at the terminal reaches only the parent, which then
//! takes its children down in order.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::interrupt;

/// How long a daemon may take to obey SIGTERM before it gets SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than any command the testbed waits for.
const FOREVER: Duration = Duration::from_hours(24);

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit status, or the signal that ended it.
    pub status: ExitStatus,
    /// Standard output, lossily as UTF-8.
    pub stdout: String,
    /// Standard error, lossily as UTF-8.
    pub stderr: String,
}

/// Runs `command` to its end and returns what it printed, whatever its status.
/// Kills it and fails when interrupted.
pub fn capture(command: &mut Command) -> Result<Finished> {
    command.stdin(Stdio::null());
    finish(command, None)
}

/// Runs `command` and returns its standard output. A status other than 0 is an error that quotes its messages.
pub fn run(command: &mut Command) -> Result<String> {
    let finished = capture(command)?;
    succeeded(command, finished)
}

/// [`run`] with `input` on standard input.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    command.stdin(Stdio::piped());
    let finished = finish(command, Some(input))?;
    succeeded(command, finished)
}

/// Sends `signal` to process `pid`.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).context("process id out of range")?;
    kill(Pid::from_raw(raw), signal).with_context(|| format!("sending {signal} to process {pid}"))
}

fn succeeded(command: &Command, finished: Finished) -> Result<String> {
    if finished.status.success() {
        return Ok(finished.stdout);
    }
    let said = if finished.stderr.trim().is_empty() {
        &finished.stdout
    } else {
        &finished.stderr
    };
    bail!(
        "{command:?} ended with {}: {}",
        finished.status,
        said.trim()
    )
}

fn finish(command: &mut Command, input: Option<&str>) -> Result<Finished> {
    interrupt::check()?;
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let fed = match (child.stdin.take(), input) {
        (Some(mut stdin), Some(text)) => stdin.write_all(text.as_bytes()),
        (Some(_) | None, None) | (None, Some(_)) => Ok(()),
    };
    let status = wait(&mut child).with_context(|| format!("waiting for {command:?}"))?;
    let finished = Finished {
        status,
        stdout: join(stdout)?,
        stderr: join(stderr)?,
    };
    // A command that ends early breaks its own pipe; its status then says why.
    if finished.status.success() {
        fed.with_context(|| format!("writing to {command:?}"))?;
    }
    Ok(finished)
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    let mut status = None;
    let mut failure = None;
    let ended = interrupt::wait_until(FOREVER, || match child.try_wait() {
        Ok(found) => {
            status = found;
            found.is_some()
        }
        Err(error) => {
            failure = Some(error);
            true
        }
    });
    if let Err(interrupted) = ended {
        child.kill().context("killing it")?;
        child.wait().context("reaping it")?;
        return Err(interrupted.into());
    }
    if let Some(error) = failure {
        return Err(error.into());
    }
    status.context("it did not end within a day")
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<std::io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

fn join(reader: Option<JoinHandle<std::io::Result<Vec<u8>>>>) -> Result<String> {
    let Some(reader) = reader else {
        return Ok(String::new());
    };
    match reader.join() {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes?).into_owned()),
        Err(_panic) => bail!("BUG: a reader of a command's output panicked"),
    }
}

/// A process that runs until it is stopped or dropped; both its streams go to one log file.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`, appending what it prints to `log`. `name` is what messages call it.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        interrupt::check()?;
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening the log {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(
                file.try_clone()
                    .context("sharing the log between two streams")?,
            )
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("looking after {}", self.name))
    }

    /// The last `lines` lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Sends SIGTERM, and SIGKILL if that is not obeyed within five seconds. Returns the exit status.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.end_with(Signal::SIGTERM)
    }

    /// Sends SIGINT (the way to make ping print its summary), and SIGKILL five seconds later.
    pub fn interrupt(&mut self) -> Result<ExitStatus> {
        self.end_with(Signal::SIGINT)
    }

    /// Kills it without warning.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.end_with(Signal::SIGKILL)
    }

    fn end_with(&mut self, request: Signal) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        signal(self.pid(), request)?;
        let mut waited = Duration::ZERO;
        // Not interruptible: this is what an interrupted run does last.
        while waited < PATIENCE {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
            waited += Duration::from_millis(5);
        }
        self.child
            .kill()
            .with_context(|| format!("killing {}", self.name))?;
        self.child
            .wait()
            .with_context(|| format!("reaping {}", self.name))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            complain(&format!("stopping {}", self.name), &error);
        }
    }
}

/// The last `lines` lines of the file at `path`, or a note that it cannot be read.
pub fn tail(path: &Path, lines: usize) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("({} cannot be read: {error})", path.display()),
    }
}

/// Reports a failed teardown on standard error: guards have nobody to return it to.
pub(crate) fn complain(what: &str, error: &anyhow::Error) {
    drop(writeln!(std::io::stderr(), "testbed: {what}: {error:#}"));
}
