//! `cargo xtask check`: everything that can be said of the code without running it.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::{
    build::{self, Need},
    layers, packages, process, workspace,
};

/// What `cargo xtask check` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    need: Need,
}

/// Crates that are built for this machine. overlay-ebpf is one by its library alone.
const HOST: [&str; 4] = [
    "--package=overlay-common",
    "--package=overlay-agent",
    "--package=overlay-tests",
    "--package=xtask",
];

pub(crate) fn run(options: &Options) -> Result<()> {
    // The agent embeds the object, so nothing else can be checked without it.
    build::ebpf(&options.need)?;
    let outcomes = [
        ("format", format()),
        ("layers", layers::check()),
        ("lints", lints()),
        (
            "lints of the eBPF programs",
            build::lint_ebpf(&options.need),
        ),
        ("documentation", documentation()),
        ("dependencies", dependencies()),
    ];
    let mut failed = Vec::new();
    for (name, outcome) in outcomes {
        if let Err(error) = outcome {
            eprintln!("error: {name}: {error:#}");
            failed.push(name);
        }
    }
    ensure!(failed.is_empty(), "not in order: {}", failed.join(", "));
    println!("all checks passed");
    Ok(())
}

/// rustfmt.toml has options that only a nightly obeys; a release leaves what they made alone.
fn format() -> Result<()> {
    let mut nightly = Command::new("rustup");
    nightly.args(["which", "--toolchain", "nightly", "rustfmt"]);
    let mut cargo = workspace::cargo();
    if let Ok(rustfmt) = process::output(nightly) {
        cargo.env("RUSTFMT", rustfmt.trim());
    }
    cargo.args(["fmt", "--all", "--check"]);
    process::follow("checking the format", cargo)
}

fn lints() -> Result<()> {
    let mut host = workspace::cargo();
    host.arg("clippy")
        .args(HOST)
        .args(["--all-targets", "--", "--deny=warnings"]);
    process::follow("checking the host's crates", host)?;

    let mut library = workspace::cargo();
    library
        .args(["clippy", "--package=overlay-ebpf", "--lib"])
        .args(["--profile=test", "--", "--deny=warnings"]);
    process::follow("checking overlay-ebpf's library", library)
}

fn documentation() -> Result<()> {
    for what in [
        &[
            "--lib",
            "--package=overlay-common",
            "--package=overlay-ebpf",
            "--package=overlay-agent",
            "--package=overlay-tests",
        ][..],
        &["--bins", "--package=xtask"],
    ] {
        let mut cargo = workspace::cargo();
        cargo
            .args(["doc", "--no-deps"])
            .args(what)
            .env("RUSTDOCFLAGS", "--deny=warnings");
        process::follow("checking the documentation", cargo)?;
    }
    Ok(())
}

/// Checks licences and sources by deny.toml, where cargo-deny is installed.
fn dependencies() -> Result<()> {
    if !packages::is_on_path("cargo-deny") {
        eprintln!("not checked: cargo-deny is not installed (`cargo install cargo-deny --locked`)");
        return Ok(());
    }
    let mut cargo = workspace::cargo();
    cargo.args(["deny", "check", "bans", "licenses", "sources"]);
    process::follow("checking licences and sources", cargo)
}
