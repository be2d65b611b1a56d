//! The network between hosts: two joined by one veth pair, or any number by a Linux bridge in a namespace of its
//! own that plays the switch.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    Namespace, Session, interrupt, link, process,
    traffic::{PingCount, ping},
};

/// The interface of every host on the underlay.
pub const DEVICE: &str = "eth0";

/// How long links may take until packets pass: the kernel may still be taking thousands of earlier ones away.
const READY: Duration = Duration::from_mins(1);

/// Which address families the underlay carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// 192.0.2.0/24 only.
    V4,
    /// `2001:db8:77::/64` only.
    V6,
    /// Both.
    Dual,
}

/// What lies between the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One veth pair; two hosts only.
    Direct,
    /// A Linux bridge with a port for each host.
    Switch,
}

/// How an underlay is to be built.
#[derive(Clone, Copy, Debug)]
pub struct Wiring {
    /// Address families.
    pub families: Families,
    /// Shape.
    pub shape: Shape,
    /// MTU of every interface, in bytes.
    pub mtu: u32,
    /// With `false`, TSO, GSO and GRO are off on every interface, so that no frame longer than the MTU passes.
    pub offloads: bool,
}

impl Default for Wiring {
    fn default() -> Self {
        Self {
            families: Families::V4,
            shape: Shape::Switch,
            mtu: 1500,
            offloads: true,
        }
    }
}

impl Wiring {
    /// Two hosts on one veth pair.
    pub fn direct() -> Self {
        Self {
            shape: Shape::Direct,
            ..Self::default()
        }
    }
}

/// A plain host: a namespace with an address on the underlay.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its name in the cluster's configuration.
    pub name: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its IPv4 address on the underlay.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address on the underlay.
    pub v6: Option<Ipv6Addr>,
}

impl Machine {
    /// The address other hosts reach it by: IPv4 where it has both.
    pub fn address(&self) -> IpAddr {
        match (self.v4, self.v6) {
            (Some(v4), _) => v4.into(),
            (None, Some(v6)) => v6.into(),
            (None, None) => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

/// Joined hosts. Its machines stay usable as long as any clone of them lives; the switch goes with this value.
#[derive(Debug)]
pub struct Underlay {
    machines: Vec<Machine>,
    switch: Option<Namespace>,
}

impl Underlay {
    /// Builds namespaces `<label>-<name>` for `names` and joins them.
    pub fn build(session: &Session, label: &str, names: &[&str], wiring: Wiring) -> Result<Self> {
        ensure!(
            names.len() < 255,
            "an underlay of {} hosts does not fit in its /24",
            names.len()
        );
        let mut machines = Vec::new();
        for (place, name) in (1..=u8::MAX).zip(names) {
            let (v4, v6) = addresses(wiring.families, place);
            let namespace = session.namespace(&format!("{label}-{name}"))?;
            namespace.sysctl("net.ipv6.conf.default.accept_dad", "0")?;
            machines.push(Machine {
                name: (*name).to_owned(),
                namespace,
                v4,
                v6,
            });
        }
        let switch = match wiring.shape {
            Shape::Direct => {
                join_directly(&machines, wiring)?;
                None
            }
            Shape::Switch => Some(join_by_switch(session, label, &machines, wiring)?),
        };
        for machine in &machines {
            address(machine, wiring)?;
        }
        await_replies(&machines)?;
        Ok(Self { machines, switch })
    }

    /// The hosts, in the order of their names given to [`Underlay::build`].
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The namespace that plays the switch, with a port `to-<name>` for each host.
    pub fn switch(&self) -> Option<&Namespace> {
        self.switch.as_ref()
    }
}

fn addresses(families: Families, place: u8) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    let v4 = Ipv4Addr::new(192, 0, 2, place);
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, u16::from(place));
    match families {
        Families::V4 => (Some(v4), None),
        Families::V6 => (None, Some(v6)),
        Families::Dual => (Some(v4), Some(v6)),
    }
}

fn join_directly(machines: &[Machine], wiring: Wiring) -> Result<()> {
    let [one, other] = machines else {
        anyhow::bail!("a direct underlay joins two hosts, not {}", machines.len());
    };
    one.namespace.ip(&[format!(
        "link add {DEVICE} mtu {mtu} type veth peer name {DEVICE} mtu {mtu} netns {peer}",
        mtu = wiring.mtu,
        peer = other.namespace.name(),
    )])?;
    Ok(())
}

fn join_by_switch(
    session: &Session,
    label: &str,
    machines: &[Machine],
    wiring: Wiring,
) -> Result<Namespace> {
    let switch = session.namespace(&format!("{label}-switch"))?;
    // Without snooping the bridge floods neighbour solicitations, as the simplest real switch does.
    let mut lines = vec![format!(
        "link add switch mtu {} type bridge mcast_snooping 0",
        wiring.mtu
    )];
    for machine in machines {
        let port = format!("to-{}", machine.name);
        lines.push(format!(
            "link add {port} mtu {mtu} type veth peer name {DEVICE} mtu {mtu} netns {host}",
            mtu = wiring.mtu,
            host = machine.namespace.name(),
        ));
        lines.push(format!("link set {port} master switch up"));
    }
    lines.push("link set switch up".to_owned());
    switch.ip(&lines)?;
    if !wiring.offloads {
        for machine in machines {
            switch_offloads_off(&switch, &format!("to-{}", machine.name))?;
        }
    }
    Ok(switch)
}

fn address(machine: &Machine, wiring: Wiring) -> Result<()> {
    let mut lines = Vec::new();
    if let Some(v4) = machine.v4 {
        lines.push(format!("address add {v4}/24 dev {DEVICE}"));
    }
    if let Some(v6) = machine.v6 {
        lines.push(format!("address add {v6}/64 dev {DEVICE} nodad"));
    }
    lines.push(format!("link set {DEVICE} up"));
    machine.namespace.ip(&lines)?;
    if !wiring.offloads {
        switch_offloads_off(&machine.namespace, DEVICE)?;
    }
    Ok(())
}

/// A link that has just come up loses the first neighbour solicitations, and the next follow a second later.
fn await_replies(machines: &[Machine]) -> Result<()> {
    let Some((first, others)) = machines.split_first() else {
        return Ok(());
    };
    for machine in machines {
        let up = || link::find(&machine.namespace, DEVICE).is_ok_and(|link| link.is_up());
        ensure!(
            interrupt::wait_until(READY, up)?,
            "{DEVICE} of {} does not come up",
            machine.namespace.name()
        );
    }
    let addresses = others
        .iter()
        .flat_map(|other| [other.v4.map(IpAddr::from), other.v6.map(IpAddr::from)]);
    for address in addresses.flatten() {
        let answers = || ping(&first.namespace, address, 1).is_ok_and(PingCount::is_complete);
        let answered = interrupt::wait_until(READY, answers)?;
        ensure!(
            answered,
            "{address} does not answer {} on the underlay",
            first.namespace.name()
        );
    }
    Ok(())
}

fn switch_offloads_off(namespace: &Namespace, device: &str) -> Result<()> {
    process::run(
        namespace
            .command("ethtool")
            .args(["-K", device, "tso", "off", "gso", "off", "gro", "off"]),
    )?;
    Ok(())
}
