//! A host: a machine on the underlay with a real agent process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    Binaries, Machine, Namespace, Session, StaticConfig,
    api::Api,
    interrupt,
    process::{self, Daemon, complain},
};

/// How long an agent may take from its start to its first answer: in an emulated machine the verifier alone takes
/// seconds for each program.
const READY: Duration = Duration::from_mins(1);

/// How much of a log an error quotes.
const TAIL: usize = 30;

/// A machine with an agent. Dropping it stops the agent; if the thread panics, its log is printed first.
#[derive(Debug)]
pub struct Host {
    machine: Machine,
    binaries: Binaries,
    directory: PathBuf,
    ready_within: Duration,
    agent: Option<Daemon>,
}

impl Host {
    /// Writes the configuration for `machine` and starts its agent; returns when that answers.
    /// `label` names its directory in the session.
    pub fn start(
        session: &Session,
        label: &str,
        machine: &Machine,
        config: &StaticConfig,
        binaries: &Binaries,
    ) -> Result<Self> {
        let mut host = Self::prepare(session, label, machine, config, binaries)?;
        host.start_agent()?;
        Ok(host)
    }

    /// [`Host::start`] without starting the agent.
    pub fn prepare(
        session: &Session,
        label: &str,
        machine: &Machine,
        config: &StaticConfig,
        binaries: &Binaries,
    ) -> Result<Self> {
        let host = Self::bare(session, label, machine, binaries)?;
        host.write_config(config)?;
        Ok(host)
    }

    /// A host whose agent is told nothing but its name: it takes part in a swarm or in none.
    pub fn of_swarm(
        session: &Session,
        label: &str,
        machine: &Machine,
        binaries: &Binaries,
    ) -> Result<Self> {
        Self::of_swarm_with(session, label, machine, binaries, "")
    }

    /// [`Host::of_swarm`] with further lines of configuration.
    pub fn of_swarm_with(
        session: &Session,
        label: &str,
        machine: &Machine,
        binaries: &Binaries,
        lines: &str,
    ) -> Result<Self> {
        let host = Self::bare(session, label, machine, binaries)?;
        host.write(&format!("node: {}\n{lines}", machine.name))?;
        Ok(host)
    }

    fn bare(
        session: &Session,
        label: &str,
        machine: &Machine,
        binaries: &Binaries,
    ) -> Result<Self> {
        let directory = session
            .directory()
            .join(format!("{label}-{}", machine.name));
        fs::create_dir_all(&directory)
            .with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self {
            machine: machine.clone(),
            binaries: binaries.clone(),
            directory,
            ready_within: READY,
            agent: None,
        })
    }

    /// Allows the agent more time to its first answer, for starts with a very large cluster.
    pub fn ready_within(&mut self, limit: Duration) {
        self.ready_within = limit;
    }

    /// Replaces the configuration file; a running agent does not notice before its restart.
    pub fn write_config(&self, config: &StaticConfig) -> Result<()> {
        self.write(&config.yaml_for(&self.machine.name)?)
    }

    fn write(&self, config: &str) -> Result<()> {
        let path = self.config_file();
        fs::write(&path, config).with_context(|| format!("writing {}", path.display()))
    }

    /// Starts the agent and waits until it answers.
    pub fn start_agent(&mut self) -> Result<()> {
        if self.agent.is_some() {
            bail!("the agent of host {} runs already", self.name());
        }
        let mut command = self.machine.namespace.command(&self.binaries.agent);
        command.arg("--config").arg(self.config_file());
        command.arg("--data-dir").arg(self.data_dir());
        command.arg("--run-dir").arg(self.run_dir());
        let mut agent = Daemon::start(
            &format!("agent of host {}", self.name()),
            &mut command,
            &self.log_file(),
        )?;
        let api = self.api();
        let mut ended = None;
        let answered = interrupt::wait_until(self.ready_within, || {
            ended = agent.ended().transpose();
            ended.is_some() || api.get("/status").is_ok()
        })?;
        if let Some(status) = ended {
            bail!(
                "the agent of host {} ended with {}:\n{}",
                self.name(),
                status?,
                agent.log_tail(TAIL)
            );
        }
        if !answered {
            let waited = self.ready_within.as_secs();
            bail!(
                "the agent of host {} gave no answer in {waited} s:\n{}",
                self.name(),
                agent.log_tail(TAIL)
            );
        }
        self.agent = Some(agent);
        Ok(())
    }

    /// Stops the agent by SIGTERM and returns when it has gone; what it made in the kernel stays.
    pub fn stop_agent(&mut self) -> Result<()> {
        let mut agent = self.take_agent()?;
        let status = agent.stop()?;
        if !status.success() {
            bail!(
                "the agent of host {} ended with {status}:\n{}",
                self.name(),
                agent.log_tail(TAIL)
            );
        }
        Ok(())
    }

    /// Ends the agent by SIGKILL.
    pub fn kill_agent(&mut self) -> Result<()> {
        self.take_agent()?.kill().map(drop)
    }

    /// Stops the agent and starts it again.
    pub fn restart_agent(&mut self) -> Result<()> {
        self.stop_agent()?;
        self.start_agent()
    }

    /// Process id of the agent, while it runs.
    pub fn agent_pid(&self) -> Option<u32> {
        self.agent.as_ref().map(Daemon::pid)
    }

    /// The host's name in the cluster.
    pub fn name(&self) -> &str {
        &self.machine.name
    }

    /// The machine below.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The namespace that the agent manages.
    pub fn namespace(&self) -> &Namespace {
        &self.machine.namespace
    }

    /// The agent's run directory, which holds its socket and its bpffs.
    pub fn run_dir(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// The agent's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The agent's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.directory.join("agent.yaml")
    }

    /// Everything that the agent printed, over restarts.
    pub fn log_file(&self) -> PathBuf {
        self.directory.join("agent.log")
    }

    /// The programs it runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// A client of the agent's socket.
    pub fn api(&self) -> Api {
        Api::new(&self.run_dir().join("agent.sock"))
    }

    /// `overlay --run-dir … ARGUMENTS`, in the host's namespace.
    pub fn cli(&self, arguments: &[&str]) -> Command {
        let mut command = self.machine.namespace.command(&self.binaries.cli);
        command.arg("--run-dir").arg(self.run_dir()).args(arguments);
        command
    }

    /// Runs the command line and returns what it printed; failure is an error with its message.
    pub fn overlay(&self, arguments: &[&str]) -> Result<String> {
        process::run(&mut self.cli(arguments))
    }

    /// Runs the command line with `--format json` and returns what it printed.
    pub fn overlay_json(&self, arguments: &[&str]) -> Result<Value> {
        let printed = process::run(self.cli(&["--format", "json"]).args(arguments))?;
        serde_json::from_str(&printed)
            .with_context(|| format!("reading the JSON of `overlay {}`", arguments.join(" ")))
    }

    /// `overlay status` as JSON.
    pub fn status(&self) -> Result<Value> {
        self.overlay_json(&["status"])
    }

    /// Runs `overlay-agent uninstall`; the agent must not be running.
    pub fn uninstall(&self) -> Result<String> {
        let mut command = self.machine.namespace.command(&self.binaries.agent);
        command.arg("--config").arg(self.config_file());
        command.arg("--data-dir").arg(self.data_dir());
        command.arg("--run-dir").arg(self.run_dir());
        process::run(command.arg("uninstall"))
    }

    /// The last lines of the agent's log.
    pub fn log_tail(&self) -> String {
        process::tail(&self.log_file(), TAIL)
    }

    /// Lets the agent run on when this process ends.
    pub fn leave(mut self) {
        if let Some(agent) = self.agent.take() {
            std::mem::forget(agent);
        }
        self.machine.namespace.clone().leave();
    }

    fn take_agent(&mut self) -> Result<Daemon> {
        let name = self.machine.name.clone();
        self.agent
            .take()
            .with_context(|| format!("the agent of host {name} is not running"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let Some(mut agent) = self.agent.take() else {
            return;
        };
        if std::thread::panicking() {
            let log: &Path = &self.log_file();
            complain(
                &format!("log of host {}", self.name()),
                &anyhow::anyhow!("{}", process::tail(log, TAIL)),
            );
        }
        if let Err(error) = agent.stop() {
            complain(
                &format!("stopping the agent of host {}", self.name()),
                &error,
            );
        }
    }
}
