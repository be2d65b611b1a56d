//! Hosts that become one cluster by `swarm init` and `swarm join`, as a user would type them.

use std::{
    io::{Write as _, stderr},
    net::IpAddr,
    ops::Index,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    Binaries, Container, Host, Session, Underlay, Wiring, container::Attached, interrupt,
    traffic::ping,
};

/// How long the cluster may take to agree about something.
pub const AGREED: Duration = Duration::from_secs(20);

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs containers.
    Worker,
    /// Keeps the cluster's state too.
    Manager,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        }
    }
}

/// Hosts on one underlay, each with an agent. If the thread panics, the agents' states and logs are printed.
#[derive(Debug)]
pub struct Swarm {
    hosts: Vec<Host>,
    underlay: Underlay,
    session: Session,
}

impl Swarm {
    /// Starts an agent on each host; none is in a cluster.
    pub fn apart(names: &[&str]) -> Result<Self> {
        Self::apart_on(Wiring::default(), names)
    }

    /// [`Swarm::apart`] on an underlay of this wiring.
    pub fn apart_on(wiring: Wiring, names: &[&str]) -> Result<Self> {
        Self::apart_in(Session::for_test()?, wiring, names, &Binaries::find()?, "")
    }

    fn apart_in(
        session: Session,
        wiring: Wiring,
        names: &[&str],
        binaries: &Binaries,
        lines: &str,
    ) -> Result<Self> {
        let underlay = Underlay::build(&session, "u", names, wiring)?;
        let mut swarm = Self {
            hosts: Vec::new(),
            underlay,
            session,
        };
        for machine in swarm.underlay.machines() {
            let mut host = Host::of_swarm_with(&swarm.session, "host", machine, binaries, lines)?;
            host.start_agent()?;
            swarm.hosts.push(host);
        }
        Ok(swarm)
    }

    /// The first host makes the cluster, the others join: as many managers in all as said, the rest workers.
    pub fn start(names: &[&str], managers: usize) -> Result<Self> {
        Self::apart(names)?.joined(managers)
    }

    /// [`Swarm::start`] with programs and wiring of one's own, in a session of one's own.
    pub fn in_session(
        session: Session,
        wiring: Wiring,
        names: &[&str],
        managers: usize,
        binaries: &Binaries,
    ) -> Result<Self> {
        Self::configured(session, wiring, names, managers, binaries, "")
    }

    /// [`Swarm::in_session`] with further lines in every agent's configuration.
    pub fn configured(
        session: Session,
        wiring: Wiring,
        names: &[&str],
        managers: usize,
        binaries: &Binaries,
        lines: &str,
    ) -> Result<Self> {
        Self::apart_in(session, wiring, names, binaries, lines)?.joined(managers)
    }

    /// The first `members` hosts are a cluster with one manager; the others are beside it. In a session of one's own,
    /// with further lines in every agent's configuration.
    pub fn besides(
        session: Session,
        wiring: Wiring,
        names: &[&str],
        members: usize,
        binaries: &Binaries,
        lines: &str,
    ) -> Result<Self> {
        let swarm = Self::apart_in(session, wiring, names, binaries, lines)?;
        swarm.init(0)?;
        for place in 1..members {
            swarm.join(place, Role::Worker)?;
        }
        swarm.await_members(members)?;
        Ok(swarm)
    }

    fn joined(self, managers: usize) -> Result<Self> {
        self.init(0)?;
        for place in 1..self.hosts.len() {
            let role = if place < managers {
                Role::Manager
            } else {
                Role::Worker
            };
            self.join(place, role)?;
        }
        self.await_members(self.hosts.len())?;
        Ok(self)
    }

    /// Makes a cluster of one host.
    pub fn init(&self, place: usize) -> Result<String> {
        let address = self.hosts[place].machine().address().to_string();
        self.hosts[place].overlay(&["swarm", "init", "--advertise-addr", &address])
    }

    /// Lets a host join the cluster of the first one.
    pub fn join(&self, place: usize, role: Role) -> Result<String> {
        let token = self.token(role)?;
        let host = &self.hosts[place];
        let own = host.machine().address().to_string();
        let manager = format!("{}:2377", self.hosts[0].machine().address());
        host.overlay(&[
            "swarm",
            "join",
            "--token",
            &token,
            "--advertise-addr",
            &own,
            &manager,
        ])
    }

    /// The token for a role, asked of the first host.
    pub fn token(&self, role: Role) -> Result<String> {
        let printed = self.hosts[0].overlay(&["swarm", "join-token", "--quiet", role.name()])?;
        Ok(printed.trim().to_owned())
    }

    /// Waits until every agent knows that all nodes are there and answer.
    pub fn await_members(&self, count: usize) -> Result<()> {
        for host in &self.hosts[..count] {
            let others = count as u64 - 1;
            let know = || {
                host.status().is_ok_and(|status| {
                    let gossip = &status["cluster"]["gossip"];
                    gossip["alive"] == others && gossip["failed"] == 0
                })
            };
            ensure!(
                interrupt::wait_until(AGREED, know)?,
                "host {} does not know {others} others: {}; its agent's log ends:\n{}",
                host.name(),
                host.status()?["cluster"],
                host.log_tail()
            );
        }
        Ok(())
    }

    /// Makes an attachable network by the first host's command line.
    pub fn network(&self, name: &str, options: &[&str]) -> Result<()> {
        let mut arguments = vec!["network", "create", "--attachable"];
        arguments.extend(options);
        arguments.push(name);
        self.hosts[0].overlay(&arguments).map(drop)
    }

    /// Makes a container and attaches it.
    pub fn guest(&self, place: usize, network: &str, name: &str) -> Result<(Container, Attached)> {
        let container = Container::new(&self.session, name)?;
        let eth0 = container.attach(&self.hosts[place], network, &[])?;
        Ok((container, eth0))
    }

    /// The hosts, in the order of their names.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// One of them, to start and stop its agent.
    pub fn host_mut(&mut self, place: usize) -> &mut Host {
        &mut self.hosts[place]
    }

    /// What owns it all.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What lies between the hosts.
    pub fn underlay(&self) -> &Underlay {
        &self.underlay
    }

    /// Where the leader is, by host; `None` while there is none that `asked` knows.
    pub fn leader(&self, asked: usize) -> Option<usize> {
        let nodes = self.hosts[asked].overlay_json(&["node", "ls"]).ok()?;
        let leads = |node: &&Value| node["manager_status"]["leader"] == true;
        let leader = nodes.as_array()?.iter().find(leads)?;
        let hostname = leader["description"]["hostname"].as_str()?;
        self.hosts.iter().position(|host| host.name() == hostname)
    }
}

impl Index<usize> for Swarm {
    type Output = Host;

    fn index(&self, place: usize) -> &Host {
        &self.hosts[place]
    }
}

/// Waits until `from` reaches `to`; the time until then.
pub fn await_reply(from: &Container, to: IpAddr, limit: Duration) -> Result<Duration> {
    let begun = std::time::Instant::now();
    let replied = interrupt::wait_until(limit, || {
        ping(from.namespace(), to, 1).is_ok_and(crate::traffic::PingCount::is_complete)
    })?;
    ensure!(
        replied,
        "{to} does not answer {} within {} s",
        from.name(),
        limit.as_secs()
    );
    Ok(begun.elapsed())
}

/// A value of JSON output by its path, as text.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> Result<&'a str> {
    let found = path.iter().fold(value, |value, key| &value[*key]);
    found
        .as_str()
        .with_context(|| format!("no text at {} in {value}", path.join(".")))
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for host in &self.hosts {
            for question in [&["status"][..], &["node", "ls"], &["network", "ls"]] {
                let told = host.overlay(question);
                let told = told.unwrap_or_else(|error| format!("{error:#}"));
                let what = question.join(" ");
                drop(writeln!(
                    stderr(),
                    "overlay {what} on {}:\n{told}",
                    host.name()
                ));
            }
        }
    }
}
