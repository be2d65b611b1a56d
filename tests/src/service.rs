//! Services of a swarm, by the command line as a user would type it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    Container, Host, Namespace, Swarm, interrupt,
    nginx::Nginx,
    process,
    swarm::AGREED,
    traffic::{Target, UdpServer},
};

/// Where tasks listen.
pub const PORT: u16 = 80;

/// A service and the processes that are its tasks.
#[derive(Debug)]
pub struct Service<'s> {
    swarm: &'s Swarm,
    name: String,
    tasks: Vec<Nginx>,
}

impl<'s> Service<'s> {
    /// `service create` with these options on the first host.
    pub fn create(swarm: &'s Swarm, name: &str, options: &[&str]) -> Result<Self> {
        let mut arguments = vec!["service", "create", "--name", name];
        arguments.extend(options);
        swarm[0].overlay(&arguments)?;
        Ok(Self {
            swarm,
            name: name.to_owned(),
            tasks: Vec::new(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts one more task on a host: nginx that answers with `<service>.<number>`, numbers from 1 up. Returns the
    /// task's name.
    pub fn start_task(&mut self, place: usize) -> Result<String> {
        let number = self.tasks.len() + 1;
        let name = format!("{}.{number}", self.name);
        let host = &self.swarm[place];
        let joining = ["--service", &self.name];
        let task = Nginx::start(self.swarm.session(), host, &name, &joining)?;
        self.tasks.push(task);
        Ok(name)
    }

    /// Starts a task on each of these hosts, and waits until the managers count all of them.
    pub fn start_tasks(&mut self, places: &[usize]) -> Result<()> {
        for place in places {
            self.start_task(*place)?;
        }
        self.await_running(self.tasks.len())
    }

    /// Its tasks in the order of their start.
    pub fn tasks(&self) -> &[Nginx] {
        &self.tasks
    }

    /// Its tasks without the service, to be kept.
    pub fn into_tasks(self) -> Vec<Nginx> {
        self.tasks
    }

    /// One of them, to end it.
    pub fn task_mut(&mut self, place: usize) -> &mut Nginx {
        &mut self.tasks[place]
    }

    /// Waits until `service ps` shows so many running tasks.
    pub fn await_running(&self, count: usize) -> Result<()> {
        let mut listing = String::new();
        let running = interrupt::wait_until(AGREED, || {
            listing = self.ps().unwrap_or_else(|error| format!("{error:#}"));
            running(&listing) == count
        })?;
        ensure!(
            running,
            "service {} has not {count} running tasks:\n{listing}",
            self.name
        );
        Ok(())
    }

    /// `service ps`.
    pub fn ps(&self) -> Result<String> {
        self.swarm[0].overlay(&["service", "ps", &self.name])
    }

    /// `service update` with these options.
    pub fn update(&self, options: &[&str]) -> Result<String> {
        let mut arguments = vec!["service", "update"];
        arguments.extend(options);
        arguments.push(&self.name);
        self.swarm[0].overlay(&arguments)
    }

    /// `service rm`.
    pub fn remove(self) -> Result<()> {
        self.swarm[0]
            .overlay(&["service", "rm", &self.name])
            .map(drop)
    }

    /// Its virtual addresses in a network, as its name resolves there, IPv4 first.
    pub fn vips(&self, place: usize, network: &str) -> Result<Vec<IpAddr>> {
        resolve(&self.swarm[place], network, &self.name)
    }

    /// Its virtual IPv4 address in a network, with the tasks' port.
    pub fn vip(&self, place: usize, network: &str) -> Result<SocketAddr> {
        let vips = self.vips(place, network)?;
        let v4 = vips.iter().copied().find(IpAddr::is_ipv4);
        let v4 = v4.with_context(|| format!("{} has no IPv4 address: {vips:?}", self.name))?;
        Ok(SocketAddr::new(v4, PORT))
    }

    /// HTTP requests to its VIP from a container on `place`.
    pub fn asked_by(&self, client: &Container, place: usize, network: &str) -> Result<Target> {
        Ok(Target::http(client.namespace(), self.vip(place, network)?))
    }
}

/// A task that answers datagrams on [`PORT`], in a namespace of its own; dropping it ends the server, not the endpoint.
#[derive(Debug)]
pub struct UdpTask {
    /// Its container.
    pub container: Container,
    /// What answers there.
    pub server: UdpServer,
}

impl UdpTask {
    /// `overlay attach --service` of a new container on a host.
    pub fn start(
        swarm: &Swarm,
        place: usize,
        network: &str,
        service: &str,
        name: &str,
    ) -> Result<Self> {
        let container = Container::new(swarm.session(), name)?;
        container.attach(&swarm[place], network, &["--service", service])?;
        let server = UdpServer::start(container.namespace(), PORT, name)?;
        Ok(Self { container, server })
    }
}

/// What a name stands for in a network, asked by a process that `overlay run` starts there; empty if nothing.
pub fn resolve(host: &Host, network: &str, name: &str) -> Result<Vec<IpAddr>> {
    // Each family in a line of its own; a name that is not there ends with 2 and nothing printed.
    let script = format!("getent ahostsv4 {name}; getent ahostsv6 {name}; true");
    let printed = host.overlay(&["run", "--network", network, "--", "sh", "-c", &script])?;
    let mut addresses = Vec::new();
    for line in printed.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        let address: IpAddr = word
            .parse()
            .with_context(|| format!("reading what getent says of {name}: {line:?}"))?;
        let address = address.to_canonical();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Where a published port is asked: a host's address as another host sees it.
pub fn published(host: &Host, port: u16) -> SocketAddr {
    SocketAddr::new(host.machine().address(), port)
}

/// Cuts a host off from the switch, as a crash does to everybody else.
pub fn cut_off(swarm: &Swarm, place: usize) -> Result<()> {
    let port = format!("link set to-{} down", swarm[place].name());
    switch(swarm)?.ip(&[port]).map(drop)
}

/// Undoes [`cut_off`].
pub fn bring_back(swarm: &Swarm, place: usize) -> Result<()> {
    let port = format!("link set to-{} up", swarm[place].name());
    switch(swarm)?.ip(&[port]).map(drop)
}

fn switch(swarm: &Swarm) -> Result<&Namespace> {
    let switch = swarm.underlay().switch();
    switch.context("hosts on one wire have no switch")
}

/// The output of a command that must be refused: its standard error.
pub fn refusal(host: &Host, arguments: &[&str]) -> Result<String> {
    let finished = process::capture(&mut host.cli(arguments))?;
    ensure!(
        !finished.status.success(),
        "`overlay {}` was not refused: {}",
        arguments.join(" "),
        finished.stdout
    );
    Ok(finished.stderr)
}

/// Waits until a request is answered.
pub fn await_service(target: &Target) -> Result<Duration> {
    target.await_answer(AGREED)
}

fn running(listing: &str) -> usize {
    let is_running = |line: &&str| line.split_whitespace().any(|word| word == "Running");
    listing.lines().filter(is_running).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_tasks_are_counted_by_their_state() {
        let listing = "ID    NAME   NODE  DESIRED STATE  CURRENT STATE\n\
                       x1    web.1  a     Running        Running 3 seconds ago\n\
                       x2    web.2  b     Shutdown       Draining\n";

        assert_eq!(running(listing), 1);
    }
}
