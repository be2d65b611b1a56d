//! A task that a container asks by a virtual address, and the outside by a published port. The tables of the virtual
//! addresses are written by the test: a whole swarm is much for an emulated machine.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, MapData, MapError};
use overlay_common::{
    abi::map,
    address::Address,
    endpoint::{ENDPOINT_BALANCED, Endpoint, EndpointKey},
    service::{Backend, RING_SINGLE, Ring, Vip},
};
use overlay_tests::{Host, Machine, Pair, Session, Underlay, Wiring, cluster, underlay::Families};

const VNI: u32 = 4096;

/// Addresses that are nobody's and in nobody's block.
pub(crate) const VIPS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 1, 1, 240)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0xff00)),
];

/// What the outside asks.
pub(crate) const PUBLISHED: u16 = 8080;

/// Where the task answers then.
pub(crate) const TARGET: u16 = 80;

/// Containers `one` on host `a`, which asks, and `two` on `b`, the task; `x` is outside.
pub(crate) struct Scene {
    pub(crate) pair: Pair,
}

impl Scene {
    /// The task's port is published for this protocol.
    pub(crate) fn new(protocol: &str) -> Result<Self> {
        let session = Session::for_test()?;
        let wiring = Wiring {
            families: Families::Dual,
            ..Wiring::default()
        };
        let underlay = Underlay::build(&session, "u", &["a", "b", "x"], wiring)?;
        let config = cluster::config(&underlay.machines()[..2]);
        let scene = Self {
            pair: Pair::on(session, underlay, &config)?,
        };
        scene.publish(protocol)?;
        scene.balance()?;
        Ok(scene)
    }

    /// Attaches the task anew, with its port, and gives it a way out.
    fn publish(&self, protocol: &str) -> Result<()> {
        let Pair { two, b, .. } = &self.pair;
        two.detach(b, cluster::BLUE)?;
        let port = format!("{PUBLISHED}:{TARGET}/{protocol}");
        let (v4, v6) = (two.v4().to_string(), two.v6().to_string());
        let options = ["--publish", &port, "--ip", &v4, "--ip6", &v6];
        two.attach(b, cluster::BLUE, &options)?;
        two.namespace().ip(&[
            "route replace default via 10.1.0.1",
            "route replace default via fd00:1::1 dev eth0",
        ])?;
        Ok(())
    }

    /// Puts the task behind the virtual addresses on the host of the one that asks.
    fn balance(&self) -> Result<()> {
        let Pair { one, two, a, .. } = &self.pair;
        let mut endpoints: HashMap<MapData, EndpointKey, Endpoint> = table(a, map::ENDPOINT)?;
        let peers: HashMap<MapData, Address, u32> = table(a, map::PEER_BY_ADDR)?;
        let mut backends: HashMap<MapData, u32, Backend> = table(a, map::BACKEND)?;
        let mut vips: HashMap<MapData, EndpointKey, Vip> = table(a, map::VIP)?;
        let host = self.pair.machines()[1].address();
        let peer = peers.get(&host.into(), 0).context("the task's host")?;
        let askers = [IpAddr::from(one.v4()), one.v6().into()];
        let tasks = [IpAddr::from(two.v4()), two.v6().into()];
        for (number, ((vip, asker), task)) in (1..).zip(VIPS.into_iter().zip(askers).zip(tasks)) {
            let key = EndpointKey::new(VNI, asker.into());
            let mut endpoint = endpoints.get(&key, 0).context("the one that asks")?;
            endpoint.flags |= ENDPOINT_BALANCED;
            endpoints.insert(key, endpoint, 0)?;
            let backend = Backend {
                address: task.into(),
                vni: VNI,
                peer,
                service: 1,
                _reserved: 0,
            };
            backends.insert(number, backend, 0)?;
            let entry = Vip {
                ring: Ring {
                    first: number,
                    size: RING_SINGLE,
                },
                service: 1,
                _reserved: 0,
            };
            vips.insert(EndpointKey::new(VNI, vip.into()), entry, 0)?;
        }
        Ok(())
    }

    /// The one that asks by virtual addresses.
    pub(crate) fn client(&self) -> [IpAddr; 2] {
        [self.pair.one.v4().into(), self.pair.one.v6().into()]
    }

    /// The task.
    pub(crate) fn task(&self) -> [IpAddr; 2] {
        [self.pair.two.v4().into(), self.pair.two.v6().into()]
    }

    /// The machine that takes no part.
    pub(crate) fn outside(&self) -> &Machine {
        &self.pair.machines()[2]
    }
}

/// A machine's addresses on the underlay.
pub(crate) fn addresses(machine: &Machine) -> Vec<IpAddr> {
    let v4 = machine.v4.map(IpAddr::from);
    v4.into_iter().chain(machine.v6.map(IpAddr::from)).collect()
}

/// The address of the same family as `like`.
pub(crate) fn of_family(all: &[IpAddr], like: IpAddr) -> Result<IpAddr> {
    let found = all
        .iter()
        .find(|address| address.is_ipv4() == like.is_ipv4());
    found.copied().context("an address of the family")
}

/// A pinned map of an agent.
fn table<T: TryFrom<Map, Error = MapError>>(host: &Host, name: &str) -> Result<T> {
    let path = pin(host, name)?;
    let data = MapData::from_pin(path)?;
    Ok(T::try_from(Map::from_map_data(data)?)?)
}

fn pin(host: &Host, name: &str) -> Result<PathBuf> {
    for generation in fs::read_dir(host.run_dir().join("bpf"))? {
        let path = generation?.path().join("maps").join(name);
        if path.exists() {
            return Ok(path);
        }
    }
    anyhow::bail!("map {name} is pinned nowhere")
}
