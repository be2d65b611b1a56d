//! Packages of the system: which are missing, and their installation by apt.

use std::{collections::BTreeSet, env, ffi::OsStr, os::unix::fs::PermissionsExt, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// Whether something missing may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// Install it.
    Allowed,
    /// Say what is missing, and stop.
    Forbidden,
}

/// Makes sure that the packages `wanted` are installed.
///
/// # Errors
///
/// When one is missing and may not or cannot be installed; the error says which, and how to
/// install them by hand.
pub(crate) fn ensure(wanted: &[&str], install: Install) -> Result<()> {
    let missing = missing(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    match install {
        Install::Allowed => self::install(&missing),
        Install::Forbidden => bail!(
            "not installed: {0}; install with `apt-get install {0}`",
            missing.join(" ")
        ),
    }
}

/// Those of `wanted` that are not installed.
pub(crate) fn missing<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(wanted);
    // It fails when it knows nothing of one of them, and answers for the others.
    let answer = query.output().with_context(|| {
        by_hand(
            wanted,
            "dpkg-query, which knows Debian's packages, did not run",
        )
    })?;
    let answer = String::from_utf8_lossy(&answer.stdout);
    let installed: BTreeSet<&str> = answer
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .collect();
    let absent = |name: &&str| !installed.contains(name);
    Ok(wanted.iter().copied().filter(absent).collect())
}

/// Installs `names`, or brings them to apt's newest version.
pub(crate) fn install(names: &[&str]) -> Result<()> {
    let mut updated = false;
    if !names.iter().all(|name| is_known(name)) {
        update()?;
        updated = true;
    }
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        bail!(
            "apt knows no package `{unknown}`: check that /etc/apt/sources.list and \
             /etc/apt/sources.list.d name Debian 12 (bookworm) with bookworm-security"
        );
    }
    let title = format!("installing {}", names.join(" "));
    let attempt = || process::step(&title, apt_get("install", names)?);
    match attempt() {
        // Old lists name files that the mirror no longer has.
        Err(_) if !updated => {
            update()?;
            attempt()
        }
        result => result,
    }
    .with_context(|| by_hand(names, "apt-get could not install packages"))
}

/// Fetches apt's lists of packages anew.
pub(crate) fn update() -> Result<()> {
    process::step("updating apt's lists of packages", apt_get("update", &[])?)
}

/// Whether an executable file called `name` is on the path.
pub(crate) fn is_on_path(name: impl AsRef<OsStr>) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| {
        directory
            .join(name.as_ref())
            .metadata()
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    })
}

fn is_known(name: &str) -> bool {
    Command::new("apt-cache")
        .args(["show", "--no-all-versions", name])
        .output()
        .is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
}

fn apt_get(verb: &str, names: &[&str]) -> Result<Command> {
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new("env")
    } else {
        ensure!(
            is_on_path("sudo"),
            "installing packages needs root: run this as root, or first `apt-get {verb} {}`",
            names.join(" ")
        );
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    };
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", verb])
        .args(["--yes", "--no-install-recommends"])
        // Another apt may be at work, on a machine that has just been started above all.
        .args(["--option", "DPkg::Lock::Timeout=300"])
        .args(["--option", "APT::Update::Error-Mode=any"])
        .args(names);
    Ok(command)
}

fn by_hand(names: &[&str], what: &str) -> String {
    format!(
        "{what}; install these by hand and start again: {}",
        names.join(" ")
    )
}
