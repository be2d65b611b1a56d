//! What an agent's maps hold of services.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use aya::maps::{Array, HashMap, Map, MapData};
use overlay_common::{
    endpoint::EndpointKey,
    service::{Backend, Ring, SLOTS, Slots, Vip},
};
use overlay_tests::Host;

/// The maps of one host, by the pins of its agent.
#[derive(Clone, Debug)]
pub(crate) struct Maps {
    directory: PathBuf,
}

/// What a host knows of a virtual address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Balanced {
    /// Numbers of backends, by address.
    pub(crate) backends: BTreeMap<IpAddr, u32>,
    /// Addresses of those that get new flows.
    pub(crate) open: BTreeSet<IpAddr>,
}

impl Maps {
    /// Where the agent pinned its maps.
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let root = host.run_dir().join("bpf");
        let entries =
            std::fs::read_dir(&root).with_context(|| format!("listing {}", root.display()))?;
        let mut names = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_generation = |path: &PathBuf| {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            name.is_some_and(|name| name.starts_with('v'))
        };
        let generation = names.find(is_generation).context("no maps are pinned")?;
        Ok(Self {
            directory: generation.join("maps"),
        })
    }

    fn open<M>(&self, name: &str) -> Result<M>
    where
        M: TryFrom<Map, Error = aya::maps::MapError>,
    {
        let data = MapData::from_pin(self.directory.join(name));
        let map = Map::from_map_data(data.with_context(|| format!("opening {name}"))?)?;
        Ok(M::try_from(map)?)
    }

    /// What is behind a virtual address; `None` if it is none here.
    pub(crate) fn balanced(&self, vip: IpAddr) -> Result<Option<Balanced>> {
        let vips: HashMap<_, EndpointKey, Vip> = self.open("VIP")?;
        let all: Vec<(EndpointKey, Vip)> = vips.iter().collect::<Result<_, _>>()?;
        let Some((_, entry)) = all
            .into_iter()
            .find(|(key, _)| IpAddr::from(key.address) == vip)
        else {
            return Ok(None);
        };
        let map: HashMap<_, u32, Backend> = self.open("BACKEND")?;
        let mut backends = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for found in &map {
            let (number, backend) = found?;
            if backend.service == entry.service {
                backends.insert(IpAddr::from(backend.address), number);
                addresses.insert(number, IpAddr::from(backend.address));
            }
        }
        let numbers = self.ring(entry.ring)?;
        let open = numbers
            .iter()
            .filter_map(|number| addresses.get(number).copied());
        Ok(Some(Balanced {
            open: open.collect(),
            backends,
        }))
    }

    fn ring(&self, ring: Ring) -> Result<BTreeSet<u32>> {
        let map: Array<_, Slots> = self.open("RING")?;
        let first = ring.first / SLOTS as u32;
        let mut numbers = BTreeSet::new();
        for entry in first..first + ring.size.div_ceil(SLOTS as u32) {
            numbers.extend(map.get(&entry, 0)?.backends);
        }
        numbers.remove(&0);
        Ok(numbers)
    }
}
