//! Other programs: run, watched or listened to, with errors that name the whole command.

use std::{
    io::{BufRead, BufReader, IsTerminal, pipe, stderr},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

/// How much of a failed command's output is shown.
const LINES_SHOWN: usize = 40;

/// Runs `command` with its output kept back: a terminal sees its last line move, a log sees the
/// title and the time taken, and an error carries the end of the output.
pub(crate) fn step(title: &str, mut command: Command) -> Result<()> {
    let started = Instant::now();
    let shown = shown(&command);
    let (reader, writer) = pipe().context("make a pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("share a pipe")?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("start `{shown}`"))?;
    // Its copies of the pipe's writing end would keep the reader waiting.
    drop(command);

    let bar = bar(title);
    let mut lines = Vec::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.with_context(|| format!("read the output of `{shown}`"))?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        bar.set_message(line.clone());
        lines.push(line);
    }
    let status = child
        .wait()
        .with_context(|| format!("wait for `{shown}`"))?;

    bar.finish_and_clear();
    if !status.success() {
        let end = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        bail!("`{shown}` failed ({status}); it said:\n{}", end.join("\n"));
    }
    eprintln!("{title}: done in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs `command` with its output on our own, after a line with the title.
pub(crate) fn follow(title: &str, mut command: Command) -> Result<()> {
    eprintln!("{title}");
    let status = command
        .status()
        .with_context(|| format!("start `{}`", shown(&command)))?;
    ensure!(status.success(), "`{}` failed ({status})", shown(&command));
    Ok(())
}

/// Runs `command` and returns what it wrote to its standard output.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start `{}`", shown(&command)))?;
    ensure!(
        output.status.success(),
        "`{}` failed ({}): {}",
        shown(&command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` wrote something else than text", shown(&command)))
}

/// `command` as one would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn bar(title: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        eprintln!("{title} …");
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.set_prefix(title.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
