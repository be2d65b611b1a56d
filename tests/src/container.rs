//! A container: a plain network namespace, attached to networks by the command line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};

use crate::{
    Host, Namespace, Session,
    link::{self, Link},
};

/// A namespace and the names it is attached under.
#[derive(Clone, Debug)]
pub struct Container {
    name: String,
    namespace: Namespace,
}

/// One interface that attaching made in a container.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The interface: `eth0` for the first network, and so on.
    pub link: Link,
    /// Its IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

impl Attached {
    /// All its addresses, IPv4 first.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.v4
            .map(IpAddr::from)
            .into_iter()
            .chain(self.v6.map(IpAddr::from))
            .collect()
    }

    /// Its IPv4 address, or an error that says it has none.
    pub fn need_v4(&self) -> Result<Ipv4Addr> {
        self.v4
            .with_context(|| format!("{} was given no IPv4 address", self.link.name))
    }
}

impl Container {
    /// Makes the container's namespace; nothing is attached yet.
    pub fn new(session: &Session, name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            namespace: session.namespace(name)?,
        })
    }

    /// Its name, which is also its endpoint's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// `overlay attach` on `host`, with further `options` such as `--ip`; returns the interface that appeared.
    pub fn attach(&self, host: &Host, network: &str, options: &[&str]) -> Result<Attached> {
        let before = link::list(&self.namespace)?;
        let path = self.namespace.path().to_string_lossy();
        let mut arguments = vec![
            "attach",
            "--netns",
            &path,
            "--network",
            network,
            "--name",
            &self.name,
        ];
        arguments.extend(options);
        host.overlay(&arguments).with_context(|| {
            format!(
                "attaching {} to {network} on host {}; its agent's log ends:\n{}",
                self.name,
                host.name(),
                host.log_tail()
            )
        })?;
        let mut appeared = link::list(&self.namespace)?;
        appeared.retain(|link| before.iter().all(|old| old.index != link.index));
        ensure!(
            appeared.len() == 1,
            "attaching {} to {network} made {} interfaces, not one",
            self.name,
            appeared.len()
        );
        let link = appeared.remove(0);
        let mut attached = Attached {
            link,
            v4: None,
            v6: None,
        };
        for address in attached.link.addresses() {
            match address {
                IpAddr::V4(v4) => attached.v4 = Some(v4),
                IpAddr::V6(v6) => attached.v6 = Some(v6),
            }
        }
        Ok(attached)
    }

    /// `overlay detach` on `host`.
    pub fn detach(&self, host: &Host, network: &str) -> Result<()> {
        host.overlay(&["detach", &self.name, "--network", network])
            .map(drop)
    }

    /// The same without waiting for the end of anything.
    pub fn detach_at_once(&self, host: &Host, network: &str) -> Result<()> {
        host.overlay(&["detach", "--force", &self.name, "--network", network])
            .map(drop)
    }

    /// Runs a program inside and returns its standard output; failure is an error.
    pub fn exec(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.namespace.exec(program, arguments)
    }
}
