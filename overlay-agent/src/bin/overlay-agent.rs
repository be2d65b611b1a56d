//! The agent of a node.

#![forbid(unsafe_code)]

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    pin::pin,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};
use overlay_agent::{agent, api, settings::Settings};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Keeps the data plane of this node true to the cluster.
///
/// SIGTERM and SIGINT stop it; programs and maps stay, and traffic goes on.
#[derive(Debug, Parser)]
#[command(name = "overlay-agent", version)]
struct Arguments {
    /// The configuration; default: /etc/overlay/agent.yaml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What must survive a reboot
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/var/lib/overlay"
    )]
    data_dir: PathBuf,
    /// Socket and pins
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/run/overlay"
    )]
    run_dir: PathBuf,
    /// What to log: error, warn, info, debug, trace, or a filter like info,aya=debug
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        default_value = "info,openraft=error"
    )]
    log: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Remove everything that the agent ever made on this node: endpoints, devices, programs, files
    Uninstall,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = match EnvFilter::builder().parse(&arguments.log) {
        Ok(filter) => filter,
        Err(error) => Arguments::command()
            .error(
                ErrorKind::ValueValidation,
                format!("--log {}: {error}", arguments.log),
            )
            .exit(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let done = match &arguments.command {
        Some(Command::Uninstall) => uninstall(&arguments),
        None => daemon(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error closed the status alone tells.
            let told = writeln!(io::stderr().lock(), "overlay-agent: {error:#}");
            drop(told);
            ExitCode::FAILURE
        }
    }
}

fn daemon(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        config,
        data_dir,
        run_dir,
        ..
    } = arguments;
    keep_no_core()?;
    let settings = Settings::load(config.as_deref(), data_dir, run_dir)?;
    require_root()?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.context("start the asynchronous runtime")?;
    runtime.block_on(run_until_signalled(settings))
}

/// The agent's memory holds keys: it must not end up in a file.
fn keep_no_core() -> anyhow::Result<()> {
    prctl::set_dumpable(false).context("forbid core dumps")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("forbid core dumps")
}

/// The first signal asks the agent to stop, the second does not wait for it.
async fn run_until_signalled(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let cancel = CancellationToken::new();
    let mut running = pin!(agent::run(settings, cancel.clone()));
    tokio::select! {
        ended = &mut running => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; programs and maps stay, and traffic goes on");
    cancel.cancel();
    tokio::select! {
        ended = running => Ok(ended?),
        _ = terminate.recv() => bail!("a second signal ended the agent before it had stopped"),
        _ = interrupt.recv() => bail!("a second signal ended the agent before it had stopped"),
    }
}

fn uninstall(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments {
        data_dir, run_dir, ..
    } = arguments;
    require_root()?;
    let socket = api::socket_path(run_dir);
    if UnixStream::connect(&socket).is_ok() {
        bail!(
            "an agent answers on {} and would make everything anew; stop it first",
            socket.display()
        );
    }
    let removed = agent::uninstall(data_dir, run_dir)?;
    let lines: Vec<String> = removed
        .iter()
        .map(|object| format!("removed {object}\n"))
        .collect();
    match io::stdout().lock().write_all(lines.concat().as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("write to standard output")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn require_root() -> anyhow::Result<()> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        bail!("the agent loads programs into the kernel, which needs root; use sudo")
    }
}
