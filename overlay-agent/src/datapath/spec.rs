//! What each map must be, and the name of a set of maps that agree with it.

use std::{ffi::OsStr, mem::size_of};

use aya::maps::{MapInfo, MapType, lpm_trie};
use overlay_common::{
    abi::{self, map},
    address::Address,
    endpoint::{Endpoint, EndpointKey},
    flow::{Flow, FlowKey, Fragment, FragmentKey},
    interface::Interface,
    network::Network,
    node::Node,
    peer::Peer,
    reason::REASON_CAPACITY,
    route::{BlockKey, Route},
    service::{Backend, PortKey, PublishedPort, SLOTS, Slots, Vip},
    socket::{Believed, BelievedKey, Namespace},
    walk::{Count, WALK_CAPACITY},
};

use super::Error;

/// How many entries each table has room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacity {
    /// Endpoints of this node.
    pub endpoints: u32,
    /// Exact remote addresses.
    pub routes: u32,
    /// Remote blocks.
    pub blocks: u32,
    /// Other nodes.
    pub peers: u32,
    /// Networks.
    pub networks: u32,
    /// Virtual addresses of services.
    pub vips: u32,
    /// Published ports.
    pub ports: u32,
    /// Backends of services.
    pub backends: u32,
    /// Slots in the rings of all services.
    pub slots: u32,
    /// Flows that both sides have sent in.
    pub flows: u32,
    /// Flows that nobody has answered yet.
    pub new_flows: u32,
}

/// What a map must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapSpec {
    pub(super) name: &'static str,
    kind: MapType,
    key_size: usize,
    value_size: usize,
    /// Entries that it must have room for, where the agent decides that.
    pub(super) capacity: Option<u32>,
    /// Entries that the object declares, where the agent relies on it.
    declared: Option<u32>,
}

impl MapSpec {
    fn sized<K, V>(name: &'static str, kind: MapType, capacity: u32) -> Self {
        Self {
            name,
            kind,
            key_size: size_of::<K>(),
            value_size: size_of::<V>(),
            capacity: Some(capacity),
            declared: None,
        }
    }

    fn fixed<K, V>(name: &'static str, kind: MapType, declared: Option<u32>) -> Self {
        Self {
            name,
            kind,
            key_size: size_of::<K>(),
            value_size: size_of::<V>(),
            capacity: None,
            declared,
        }
    }

    /// Whether the map has all its entries from the start.
    pub(super) fn is_array(&self) -> bool {
        matches!(self.kind, MapType::Array | MapType::PerCpuArray)
    }

    /// Fails unless the map is as it must be.
    pub(super) fn check(&self, info: &MapInfo) -> Result<(), Error> {
        let kind = info.map_type().map_err(|source| Error::Map {
            operation: "look at",
            map: self.name,
            source,
        })?;
        let mismatch = |what, actual: String, expected: String| Error::Mismatch {
            map: self.name,
            what,
            actual,
            expected,
        };
        if kind != self.kind {
            return Err(mismatch(
                "type",
                format!("{kind:?}"),
                format!("{:?}", self.kind),
            ));
        }
        let sizes = [
            ("key size", info.key_size(), Some(self.key_size as u32)),
            (
                "value size",
                info.value_size(),
                Some(self.value_size as u32),
            ),
            (
                "capacity",
                info.max_entries(),
                self.capacity.or(self.declared),
            ),
        ];
        for (what, actual, expected) in sizes {
            if let Some(expected) = expected
                && actual != expected
            {
                return Err(mismatch(what, actual.to_string(), expected.to_string()));
            }
        }
        Ok(())
    }
}

/// What every map must be.
pub(super) fn maps(capacity: &Capacity) -> [MapSpec; map::ALL.len()] {
    let Capacity {
        endpoints,
        routes,
        blocks,
        peers,
        networks,
        vips,
        ports,
        backends,
        slots,
        flows,
        new_flows,
    } = *capacity;
    let reasons = Some(REASON_CAPACITY);
    let walks = Some(WALK_CAPACITY);
    [
        MapSpec::sized::<EndpointKey, Endpoint>(map::ENDPOINT, MapType::Hash, endpoints),
        MapSpec::sized::<u32, Interface>(map::INTERFACE, MapType::Hash, endpoints),
        MapSpec::sized::<EndpointKey, Route>(map::ROUTE, MapType::Hash, routes),
        MapSpec::sized::<lpm_trie::Key<BlockKey>, Route>(map::BLOCK, MapType::LpmTrie, blocks),
        MapSpec::sized::<u32, Peer>(map::PEER, MapType::Hash, peers),
        MapSpec::sized::<Address, u32>(map::PEER_BY_ADDR, MapType::Hash, peers),
        MapSpec::sized::<u32, Network>(map::NETWORK, MapType::Hash, networks),
        MapSpec::fixed::<u32, Node>(map::NODE, MapType::Array, Some(1)),
        MapSpec::sized::<EndpointKey, Vip>(map::VIP, MapType::Hash, vips),
        MapSpec::sized::<PortKey, PublishedPort>(map::PORT, MapType::Hash, ports),
        MapSpec::sized::<u32, Backend>(map::BACKEND, MapType::Hash, backends),
        MapSpec::sized::<u32, Slots>(map::RING, MapType::Array, slots.div_ceil(SLOTS as u32)),
        MapSpec::sized::<FlowKey, Flow>(map::FLOW, MapType::Hash, flows),
        MapSpec::sized::<FlowKey, Flow>(map::FLOW_NEW, MapType::LruHash, new_flows),
        MapSpec::fixed::<FragmentKey, Fragment>(map::FRAGMENT, MapType::LruHash, None),
        MapSpec::sized::<Address, EndpointKey>(map::TRANSIT, MapType::Hash, endpoints),
        MapSpec::fixed::<Address, u32>(map::OWN_ADDRESS, MapType::Hash, None),
        MapSpec::sized::<u64, Namespace>(map::NAMESPACE, MapType::Hash, endpoints),
        MapSpec::fixed::<BelievedKey, Believed>(map::BELIEVED, MapType::LruHash, None),
        MapSpec::fixed::<u32, Count>(map::REASON_COUNT, MapType::PerCpuArray, reasons),
        MapSpec::fixed::<u32, Count>(map::WALK_COUNT, MapType::PerCpuArray, walks),
        MapSpec::fixed::<(), ()>(map::EVENT, MapType::RingBuf, None),
        MapSpec::fixed::<u32, u64>(map::EVENT_LOST, MapType::Array, Some(1)),
    ]
}

/// The name under which maps of these definitions are pinned. Other definitions have another name, so
/// nobody ever opens a map for what it is not.
pub(super) fn generation(capacity: &Capacity) -> String {
    let mut hash = Fnv::new();
    for spec in maps(capacity) {
        hash.write(spec.name.as_bytes());
        hash.write(&(spec.kind as u32).to_be_bytes());
        for size in [spec.key_size as u32, spec.value_size as u32] {
            hash.write(&size.to_be_bytes());
        }
        let capacity = spec.capacity.or(spec.declared).unwrap_or_default();
        hash.write(&capacity.to_be_bytes());
    }
    format!("v{}-{:016x}", abi::VERSION, hash.0)
}

/// Whether this is the name of some generation, of whatever version.
pub(super) fn is_generation(name: &OsStr) -> bool {
    let parts = name
        .to_str()
        .and_then(|name| name.strip_prefix('v')?.split_once('-'));
    parts.is_some_and(|(version, hash)| {
        version.parse::<u32>().is_ok() && hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok()
    })
}

/// FNV-1a: unlike std's hashers it stays the same from one compiler to the next.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: Capacity = Capacity {
        endpoints: 16,
        routes: 32,
        blocks: 8,
        peers: 4,
        networks: 2,
        vips: 4,
        ports: 4,
        backends: 8,
        slots: 64,
        flows: 16,
        new_flows: 16,
    };

    #[test]
    fn every_map_of_the_object_is_specified() {
        let mut specified = maps(&CAPACITY).map(|spec| spec.name);
        let mut declared = map::ALL;
        specified.sort_unstable();
        declared.sort_unstable();

        assert_eq!(specified, declared);
    }

    #[test]
    fn another_capacity_is_another_generation() {
        let larger = Capacity {
            routes: 33,
            ..CAPACITY
        };

        assert_eq!(generation(&CAPACITY), generation(&CAPACITY));
        assert_ne!(generation(&CAPACITY), generation(&larger));
        assert!(is_generation(OsStr::new(&generation(&CAPACITY))));
        assert!(is_generation(OsStr::new("v7-0123456789abcdef")));
        for other in ["links", "progs.debug", "v1-", "v-0123456789abcdef"] {
            assert!(!is_generation(OsStr::new(other)), "{other}");
        }
    }
}
