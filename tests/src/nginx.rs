//! Tasks that are nginx processes, each with a container of its own by `overlay run`, and each answering with its own
//! name.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::{
    Host, Session, interrupt,
    process::{self, Daemon},
};

/// The package that it comes from.
pub const PACKAGE: &str = "nginx-light";

/// How long a task may take to answer in its own container.
const READY: Duration = Duration::from_secs(20);

/// How long a task may take to end once it was asked to: longer than any drain time of a test.
const DRAINED: Duration = Duration::from_mins(1);

/// One task. Dropping it ends its command, and with that its endpoint.
#[derive(Debug)]
pub struct Nginx {
    name: String,
    directory: PathBuf,
    run: Daemon,
}

/// A line of a task's log: who asked, and at which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's address as the task sees it.
    pub client: IpAddr,
    /// The task's own address.
    pub server: IpAddr,
}

impl Nginx {
    /// `overlay run --name NAME … -- nginx` on a host; `joining` says whereto: `--service SERVICE`, or `--network
    /// NETWORK`. Listens on port 80 of both families.
    pub fn start(session: &Session, host: &Host, name: &str, joining: &[&str]) -> Result<Self> {
        let directory = session.directory().join(format!("nginx-{name}"));
        fs::create_dir(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let config = directory.join("nginx.conf");
        fs::write(&config, configuration(&directory, name))
            .with_context(|| format!("writing {}", config.display()))?;
        let mut command = host.cli(&["run", "--name", name]);
        command.args(joining).args(["--", "nginx", "-p"]);
        command.arg(&directory).arg("-c").arg(&config);
        let run = Daemon::start(
            &format!("task {name}"),
            &mut command,
            &directory.join("run.log"),
        )?;
        let mut task = Self {
            name: name.to_owned(),
            directory,
            run,
        };
        let mut ended = None;
        let ready = interrupt::wait_until(READY, || {
            ended = task.run.ended().transpose();
            ended.is_some() || task.pid().is_ok()
        })?;
        ensure!(
            ready && ended.is_none(),
            "task {} on host {} did not start: {}",
            task.name,
            host.name(),
            task.run.log_tail(20)
        );
        Ok(task)
    }

    /// The name that it answers with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process.
    pub fn pid(&self) -> Result<u32> {
        let path = self.directory.join("pid");
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        text.trim()
            .parse()
            .with_context(|| format!("{} has no number", path.display()))
    }

    /// Kills the process itself, as a crash does; `overlay run` ends by itself.
    pub fn kill(&self) -> Result<()> {
        process::signal(self.pid()?, Signal::SIGKILL)
    }

    /// Ends its command with SIGTERM and waits for that.
    pub fn stop(&mut self) -> Result<()> {
        self.run.stop().map(drop)
    }

    /// Asks its command to end, and waits until it has, however long its flows may go on.
    pub fn drain(&mut self) -> Result<()> {
        process::signal(self.command(), Signal::SIGTERM)?;
        self.await_end()
    }

    /// The process of its command.
    pub fn command(&self) -> u32 {
        self.run.pid()
    }

    /// Waits until its command has ended.
    pub fn await_end(&mut self) -> Result<()> {
        let mut ended = None;
        let drained = interrupt::wait_until(DRAINED, || {
            ended = self.run.ended().transpose();
            ended.is_some()
        })?;
        ensure!(drained, "task {} does not end", self.name);
        ended.transpose().map(drop)
    }

    /// All requests that it has answered, as it logged them.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let path = self.directory.join("access.log");
        let log =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        log.lines().map(read_line).collect()
    }
}

fn read_line(line: &str) -> Result<Request> {
    let mut words = line.split_whitespace().map(str::parse);
    let mut address = || {
        let word = words
            .next()
            .with_context(|| format!("too few words in {line:?}"))?;
        word.with_context(|| format!("no address in {line:?}"))
    };
    Ok(Request {
        client: address()?,
        server: address()?,
    })
}

fn configuration(directory: &Path, name: &str) -> String {
    let at = directory.display();
    format!(
        "user root;
daemon off;
master_process off;
pid {at}/pid;
error_log {at}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format who '$remote_addr $server_addr';
    access_log {at}/access.log who;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    server {{
        listen 80;
        listen [::]:80 ipv6only=on;
        location / {{ return 200 \"{name}\\n\"; }}
    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_says_who_asked_whom() {
        let request = read_line("fd00::1 fd00::2").expect("a line");

        assert_eq!(request.client.to_string(), "fd00::1");
        assert_eq!(request.server.to_string(), "fd00::2");
        read_line("10.0.0.1").expect_err("half a line");
    }
}
