//! `cargo xtask build`, and what other verbs need built: the eBPF object, and the agent with its
//! command line.

mod agent;
mod compiler;
mod ebpf;
mod linker;

use anyhow::Result;

pub(crate) use self::{
    agent::{agent, example},
    ebpf::{ebpf, lint_ebpf},
};
use crate::{packages::Install, workspace};

/// What `cargo xtask build` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    need: Need,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ebpf(&options.need)?;
    let binaries = agent()?;
    for program in [&binaries.agent, &binaries.cli] {
        eprintln!("{} is built", workspace::shown(program));
    }
    Ok(())
}

/// What may be done about tools that a build needs and the machine lacks.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Need {
    /// Only report what is missing: install nothing.
    #[arg(long)]
    no_install: bool,

    /// Install nothing, and let cargo use no network either.
    #[arg(long)]
    offline: bool,
}

impl Need {
    /// Whether something missing may be installed.
    pub(crate) fn install(&self) -> Install {
        if self.no_install || self.offline {
            Install::Forbidden
        } else {
            Install::Allowed
        }
    }
}
