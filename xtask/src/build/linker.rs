//! bpf-linker, which turns LLVM bitcode into an eBPF object.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    packages::{self, Install},
    process, workspace,
};

/// The major version of the LLVM that the linker is built with. It reads no newer bitcode.
pub(super) const LLVM: u32 = 22;

const VERSION: &str = "0.13.0";
const PACKAGES: [&str; 1] = ["llvm-22-dev"];

/// Returns the linker's path, having built it if it was not there.
pub(super) fn linker(install: Install) -> Result<PathBuf> {
    let tools = workspace::made("tools");
    let path = tools.join("bin/bpf-linker");
    if is_right(&path) {
        return Ok(path);
    }
    eprintln!(
        "missing: bpf-linker {VERSION} with LLVM {LLVM} in {}",
        workspace::shown(&tools)
    );
    if install == Install::Forbidden {
        bail!(
            "no bpf-linker {VERSION} in {}: `cargo xtask build-ebpf` builds it there (and installs {})",
            workspace::shown(&tools),
            PACKAGES.join(" ")
        );
    }
    build(&tools)?;
    if !is_right(&path) {
        bail!(
            "{} was built, but does not say it is version {VERSION}",
            path.display()
        );
    }
    Ok(path)
}

fn is_right(path: &Path) -> bool {
    let mut command = Command::new(path);
    command.arg("--version").env_remove("LD_LIBRARY_PATH");
    process::output(command).is_ok_and(|version| version.trim().ends_with(VERSION))
}

fn build(tools: &Path) -> Result<()> {
    let llvm = llvm()?;
    let mut cargo = workspace::cargo();
    cargo
        .args(["install", "bpf-linker", "--version", VERSION, "--locked"])
        .args(["--no-default-features", "--features"])
        .arg(format!("llvm-{LLVM}"))
        .arg("--force")
        .arg("--root")
        .arg(tools)
        .arg("--target-dir")
        .arg(tools.join("build"))
        .env("LLVM_PREFIX", &llvm)
        .env(format!("LLVM_SYS_{LLVM}1_PREFIX"), &llvm);
    for variable in [
        "CARGO_BUILD_TARGET",
        "CARGO_ENCODED_RUSTFLAGS",
        "LD_LIBRARY_PATH",
        "RUSTFLAGS",
    ] {
        cargo.env_remove(variable);
    }
    process::step(&format!("building bpf-linker {VERSION}"), cargo)
        .context("build bpf-linker, which links eBPF programs")?;
    let leftover = tools.join("build");
    std::fs::remove_dir_all(&leftover).with_context(|| format!("remove {}", leftover.display()))
}

/// Where LLVM's libraries and headers are.
fn llvm() -> Result<PathBuf> {
    let is_there = |prefix: &PathBuf| prefix.join("bin/llvm-config").exists();
    let chosen = env::var_os("LLVM_PREFIX").map(PathBuf::from);
    if let Some(prefix) = chosen.filter(is_there) {
        return Ok(prefix);
    }
    packages::ensure(&PACKAGES, Install::Allowed)?;
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{LLVM}"));
    if !is_there(&prefix) {
        bail!(
            "{} is installed, but {} has no bin/llvm-config",
            PACKAGES.join(" "),
            prefix.display()
        );
    }
    Ok(prefix)
}
