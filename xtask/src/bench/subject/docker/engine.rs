//! A Docker engine that shares nothing with one that the machine itself may run.

use std::{
    fs,
    net::IpAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use overlay_tests::{
    Machine, Namespace, Session, interrupt,
    process::{self, Daemon},
};

use super::cgroup::Cgroup;
use crate::packages;

/// Name of the only image.
pub(super) const IMAGE: &str = "idle:1";

/// How long an engine may take to answer.
const READY: Duration = Duration::from_secs(30);

/// Runs the engine with its own processes and mounts, so that its end takes everything along, and with no sight
/// of a containerd that the machine runs.
const SCRIPT: &str =
    r#"[ ! -d /run/containerd ] || mount -t tmpfs tmpfs /run/containerd; exec dockerd "$@""#;

/// Fails unless a Docker engine and its client are installed.
pub(crate) fn require_engine() -> Result<()> {
    for program in ["dockerd", "docker"] {
        ensure!(
            packages::is_on_path(program),
            "no {program} is installed: install a Docker engine (`apt-get install docker.io`), or leave the subject \
             docker and --with-docker out"
        );
    }
    Ok(())
}

/// A running engine.
#[derive(Debug)]
pub(super) struct Engine {
    daemon: Daemon,
    name: String,
    socket: PathBuf,
}

impl Engine {
    /// Starts an engine on `machine` and waits until it answers.
    pub(super) fn start(session: &Session, machine: &Machine, cgroup: &Cgroup) -> Result<Self> {
        let directory = session.directory().join(format!("docker-{}", machine.name));
        fs::create_dir(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let config = directory.join("daemon.json");
        fs::write(&config, "{}").with_context(|| format!("writing {}", config.display()))?;
        let socket = directory.join("docker.sock");
        // An engine looks for the interface of its default route.
        machine
            .namespace
            .ip(&["route add default via 192.0.2.254"])?;
        let mut command = machine.namespace.command("unshare");
        command.args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            SCRIPT,
            "dockerd",
        ]);
        command.arg("--config-file").arg(config);
        command.arg("--data-root").arg(directory.join("lib"));
        command.arg("--exec-root").arg(directory.join("exec"));
        command.arg("--pidfile").arg(directory.join("pid"));
        command
            .arg("--host")
            .arg(format!("unix://{}", socket.display()));
        command.args([
            "--exec-opt",
            "native.cgroupdriver=cgroupfs",
            "--cgroup-parent",
            &cgroup.parent(),
        ]);
        let daemon = Daemon::start(
            &format!("Docker on host {}", machine.name),
            &mut command,
            &directory.join("log"),
        )?;
        let mut engine = Self {
            daemon,
            name: machine.name.clone(),
            socket,
        };
        let answers = interrupt::wait_until(READY, || {
            engine.docker(&["version"]).is_ok()
                || engine.daemon.ended().is_ok_and(|end| end.is_some())
        })?;
        if !answers || engine.daemon.ended()?.is_some() {
            bail!(
                "the Docker engine of host {} does not answer:\n{}",
                engine.name,
                engine.daemon.log_tail(20)
            );
        }
        Ok(engine)
    }

    /// Runs Docker's client against this engine and returns what it printed.
    pub(super) fn docker(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("docker");
        command
            .arg("--host")
            .arg(format!("unix://{}", self.socket.display()))
            .args(arguments);
        let printed = process::run(&mut command)?;
        Ok(printed.trim().to_owned())
    }

    /// Runs an idle container on `network` and returns its network namespace and address.
    pub(super) fn container(
        &self,
        session: &Session,
        network: &str,
        name: &str,
    ) -> Result<(Namespace, IpAddr)> {
        self.docker(&[
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            network,
            IMAGE,
            "/bin/sleep",
            "1000000",
        ])?;
        let inspect = |format: &str| self.docker(&["inspect", "--format", format, name]);
        let key = inspect("{{.NetworkSettings.SandboxKey}}")?;
        let address = inspect(&format!(
            "{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}"
        ))?;
        let address = address
            .parse()
            .with_context(|| format!("Docker gave container {name} address {address:?}"))?;
        // The file is mounted only where the engine sees it.
        let seen_by_engine = format!("/proc/{}/root{key}", self.daemon.pid());
        let namespace = session.adopt(&format!("docker-{name}"), Path::new(&seen_by_engine))?;
        Ok((namespace, address))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SIGTERM would reach only the parent of its process namespace, which ignores it. Containers are processes
        // of that namespace and end with it.
        if let Err(error) = self.daemon.kill() {
            eprintln!("ending the Docker engine of host {}: {error:#}", self.name);
        }
    }
}

/// Writes the archive of an image that can only sleep.
pub(super) fn image(directory: &Path) -> Result<PathBuf> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let busybox = busybox.context("no busybox is installed: `apt-get install busybox-static`")?;
    let bin = directory.join("image/bin");
    fs::create_dir_all(&bin).with_context(|| format!("creating {}", bin.display()))?;
    fs::copy(busybox, bin.join("busybox")).context("copying busybox")?;
    symlink("busybox", bin.join("sleep")).context("linking sleep to busybox")?;
    let archive = directory.join("image.tar");
    let mut tar = Command::new("tar");
    tar.arg("--create")
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(directory.join("image"))
        .arg("bin");
    process::run(&mut tar)?;
    Ok(archive)
}
