//! The command line of overlay.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    overlay_agent::cli::main(std::env::args_os())
}
