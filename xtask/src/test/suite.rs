//! The suites: what each runs, and where.

use std::{
    ffi::OsString,
    fmt,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{record::Records, tally::Tally};
use crate::{process, vm, workspace};

/// Tests with hosts of their own that run side by side.
const SIDE_BY_SIDE: usize = 2;

/// The kernels that all tests are run on besides this machine's own. The first is too old, and refused.
pub(super) const KERNELS: [&str; 5] = [TOO_OLD, "6.1", "6.12", "6.18", vm::NEWEST];

/// Those that are always asked.
pub(super) const USUAL_KERNELS: [&str; 2] = ["6.1", "6.12"];

/// A kernel that lacks what nothing works without.
const TOO_OLD: &str = "5.10";

/// The only test for it.
const REFUSAL: &str = "a_kernel_that_is_too_old_is_refused_with_the_reason";

/// Whether a suite has the output and the processors for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has the output as it is.
    Foreground,
    /// Its name stands before each of its lines, and it takes what the others leave of the processors.
    Background,
}

/// How suites are run.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    /// Only tests whose names contain this.
    pub(super) filter: Option<&'a str>,
    pub(super) place: Place,
    /// Where what each kernel makes of the programs is recorded, instead of compared.
    pub(super) records: Option<&'a mut Records>,
}

/// The test that records what the other kernels make of the programs.
const RECORDING: &str = "the_verifier_has_no_more_work_than_was_recorded";

/// Tests that run together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Suite {
    /// What needs neither a kernel nor root.
    Unit,
    /// Every eBPF program, packet by packet.
    Program,
    /// Hosts in network namespaces.
    Netns,
    /// Services: nginx tasks on hosts in network namespaces.
    Services,
    /// The kernel of this version in a virtual machine.
    Vm(&'static str),
}

impl Suite {
    pub(super) fn needs_root(self) -> bool {
        !matches!(self, Self::Unit)
    }

    pub(super) fn needs_agent(self) -> bool {
        matches!(self, Self::Netns | Self::Services | Self::Vm(_))
    }

    /// Runs the suite, adding its results to `tally`, and what is learnt of a kernel to `records`.
    ///
    /// # Errors
    ///
    /// When a test fails, and when the suite cannot be built or run.
    pub(super) fn run(self, orders: &mut Orders<'_>, tally: &mut Tally) -> Result<()> {
        eprintln!("== {self}");
        let filter = orders.filter;
        match self {
            Self::Unit => unit(filter, tally),
            Self::Program => threaded(&["program"], 1, filter, tally),
            Self::Netns => netns(filter, tally),
            Self::Services => threaded(&["services"], 1, filter, tally),
            Self::Vm(kernel) => in_vm(kernel, orders, tally),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => f.write_str("unit"),
            Self::Program => f.write_str("program"),
            Self::Netns => f.write_str("netns"),
            Self::Services => f.write_str("services"),
            Self::Vm(kernel) => write!(f, "vm with Linux {kernel}"),
        }
    }
}

fn unit(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let libraries = [
        "--lib",
        "--package=overlay-common",
        "--package=overlay-ebpf",
        "--package=overlay-agent",
        "--package=overlay-tests",
    ];
    let programs = ["--bins", "--package=overlay-agent", "--package=xtask"];
    let libraries = cargo_test(&libraries, &[], filter, tally);
    let programs = cargo_test(&programs, &[], filter, tally);
    libraries.and(programs)
}

/// Builds all test programs of overlay-tests.
pub(super) fn build() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--no-run", "--package=overlay-tests", "--tests"]);
    process::follow("building all tests", cargo)
}

/// Runs test programs of overlay-tests one after the other, with so many of their tests side by side.
fn threaded(
    names: &[impl AsRef<str>],
    threads: usize,
    filter: Option<&str>,
    tally: &mut Tally,
) -> Result<()> {
    let mut what = vec!["--package=overlay-tests"];
    for name in names {
        must_exist(name.as_ref())?;
        what.extend(["--test", name.as_ref()]);
    }
    let threads = format!("--test-threads={threads}");
    cargo_test(&what, &[&threads], filter, tally)
}

/// Runs the test programs of overlay-tests that want a network: all without a suite of their own. Those of the testbed
/// count what there is on the machine; the tests of the others have hosts of their own, and wait a lot.
fn netns(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let mut names = test_programs()?;
    names.retain(|name| !["program", "services", "testbed", "vm"].contains(&name.as_str()));
    if !names.iter().any(|name| name == "netns") {
        // Asking for it says that it is not there.
        names.push("netns".to_owned());
    }
    let testbed = threaded(&["testbed"], 1, filter, tally);
    let hosts = threaded(&names, SIDE_BY_SIDE, filter, tally);
    testbed.and(hosts)
}

fn in_vm(kernel: &str, orders: &mut Orders<'_>, tally: &mut Tally) -> Result<()> {
    let records = orders.records.as_deref_mut();
    must_exist("vm")?;
    let program = built("vm")?;
    let mut command: Vec<OsString> = vec!["env".into()];
    if let Some(records) = &records {
        command.push(records.variable());
    }
    command.extend([program.into_os_string(), "--test-threads=1".into()]);
    let filter = match &records {
        _ if kernel == TOO_OLD => Some(REFUSAL),
        Some(_) => Some(RECORDING),
        None => orders.filter,
    };
    command.extend(filter.map(Into::into));
    let mut guest = vm::Guest::new(kernel, command).in_directory(workspace::root().join("tests"));
    if let Some(records) = &records {
        guest = guest.sharing(records.directory().to_owned());
    }
    let code = match orders.place {
        Place::Foreground => vm::boot(&guest, &mut |line| tally.add_line(line))?,
        Place::Background => vm::boot(&guest.in_background(), &mut |line| {
            println!("[{kernel}] {line}");
            tally.add_line(line);
        })?,
    };
    ensure!(code == 0, "the tests ended with exit code {code}");
    records.map_or(Ok(()), Records::take)
}

fn cargo_test(
    what: &[&str],
    to_tests: &[&str],
    filter: Option<&str>,
    tally: &mut Tally,
) -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo
        .args(["test", "--no-fail-fast"])
        .args(what)
        .arg("--")
        .args(to_tests)
        .args(filter);
    tallied(cargo, tally)
}

/// Runs `command`, passing its output on and adding up the results in it.
fn tallied(mut command: Command, tally: &mut Tally) -> Result<()> {
    let shown = process::shown(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start `{shown}`"))?;
    let stdout = child.stdout.take().context("the output has no pipe")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.with_context(|| format!("read the output of `{shown}`"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.add_line(&line);
    }
    let status = child
        .wait()
        .with_context(|| format!("wait for `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Checks that overlay-tests has the test program `name`.
fn must_exist(name: &str) -> Result<()> {
    ensure!(
        test_programs()?.iter().any(|program| program == name),
        "overlay-tests has no test program `{name}` (a [[test]] in tests/Cargo.toml)"
    );
    Ok(())
}

/// The names of all test programs of overlay-tests.
fn test_programs() -> Result<Vec<String>> {
    let mut cargo = workspace::cargo();
    cargo.args(["metadata", "--no-deps", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&process::output(cargo)?)
        .context("read what `cargo metadata` wrote")?;
    let targets = list(&metadata["packages"])
        .filter(|package| package["name"] == "overlay-tests")
        .flat_map(|package| list(&package["targets"]));
    let tests = targets.filter(|target| list(&target["kind"]).any(|kind| kind == "test"));
    let names = tests.filter_map(|target| target["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Builds the test program `name` of overlay-tests and returns its path.
fn built(name: &str) -> Result<PathBuf> {
    let mut cargo = workspace::cargo();
    cargo
        .args([
            "test",
            "--no-run",
            "--package=overlay-tests",
            "--test",
            name,
        ])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit());
    let messages = process::output(cargo)?;
    let mut programs = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs
        .next_back()
        .with_context(|| format!("cargo built no test program `{name}`"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
