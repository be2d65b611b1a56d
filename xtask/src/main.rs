//! Builds, tests, shows and measures overlay: `cargo xtask VERB`.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a terminal is where this program reports"
)]

mod bench;
mod build;
mod build_ebpf;
mod check;
mod demo;
mod fuzz;
mod layers;
mod packages;
mod process;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about, version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build all that an installation consists of: `overlay` and `overlay-agent`.
    Build(build::Options),
    /// Build the eBPF object, installing what that needs.
    BuildEbpf(build_ebpf::Options),
    /// Check the format, the lints, the layers and the documentation.
    Check(check::Options),
    /// Check which module imports which, how long files are and where `unsafe` is.
    Layers(layers::Options),
    /// Run the tests, installing what they need.
    Test(test::Options),
    /// Run the fuzz tests of the cluster's ports, ten million tries unless told otherwise.
    Fuzz(fuzz::Options),
    /// Run a command on another Linux kernel, in a virtual machine over this machine's files.
    Vm(vm::Options),
    /// Show overlay at work on three hosts.
    Demo(demo::Options),
    /// Measure overlay beside the host and the kernel's own overlay.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Build(options) => build::run(&options),
        Verb::BuildEbpf(options) => build_ebpf::run(&options),
        Verb::Check(options) => check::run(&options),
        Verb::Layers(options) => layers::run(&options),
        Verb::Test(options) => return ended(test::run(&options)),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Vm(options) => return ended(vm::run(&options)),
        Verb::Demo(options) => demo::run(&options),
        Verb::Bench(options) => bench::run(&options),
    };
    ended(result.map(|()| ExitCode::SUCCESS))
}

fn ended(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
