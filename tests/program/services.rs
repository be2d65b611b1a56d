//! The services of the small world: four virtual addresses in each family, with one task behind each, or none.

use std::{collections::BTreeMap, net::IpAddr};

use aya::maps::{Array, HashMap, MapData, lpm_trie::LpmTrie};
use overlay_common::{
    abi,
    endpoint::{ENDPOINT_BALANCED, Endpoint, EndpointKey},
    flow::{Flow, FlowKey},
    interface::Interface,
    route::{BlockKey, Route},
    service::{Backend, Ring, SLOTS, Slots, Vip},
};

use crate::fixture::{
    CLIENT, CLIENT_V6, Fixture, REMOTE, REMOTE_V6, SERVER, SERVER_MAC, SERVER_V6, VNI,
};

/// The addresses of one family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    pub(crate) client: IpAddr,
    pub(crate) server: IpAddr,
    pub(crate) remote: IpAddr,
    /// `server` is behind it.
    pub(crate) near: IpAddr,
    /// `remote` is behind it.
    pub(crate) far: IpAddr,
    /// `client` is behind it.
    pub(crate) own: IpAddr,
    /// Nobody is behind it.
    pub(crate) empty: IpAddr,
    /// Number of the task behind `near`; the next two are behind `far` and `own`.
    pub(crate) backend: u32,
}

/// Both families.
pub(crate) fn families() -> [Family; 2] {
    let v4 = |last| IpAddr::from([10, 1, 0, last]);
    let v6 = |last| {
        let mut address = CLIENT_V6;
        address[15] = last;
        IpAddr::from(address)
    };
    [
        Family {
            client: CLIENT.into(),
            server: SERVER.into(),
            remote: REMOTE.into(),
            near: v4(240),
            far: v4(241),
            own: v4(242),
            empty: v4(243),
            backend: 1,
        },
        Family {
            client: CLIENT_V6.into(),
            server: SERVER_V6.into(),
            remote: REMOTE_V6.into(),
            near: v6(240),
            far: v6(241),
            own: v6(242),
            empty: v6(243),
            backend: 11,
        },
    ]
}

impl Fixture {
    pub(crate) fn fill_services(&mut self) {
        for family in families() {
            let Family { backend, .. } = family;
            let tasks = [
                (family.near, backend, family.server, 0),
                (family.far, backend + 1, family.remote, 1),
                (family.own, backend + 2, family.client, 0),
            ];
            for (vip, number, address, peer) in tasks {
                self.set_backend(number, address, peer);
                self.set_slots(number, &[number]);
                self.set_vip(vip, number, 1);
            }
            self.set_vip(family.empty, 0, 0);
            let mut endpoints: HashMap<_, EndpointKey, Endpoint> = self.map(abi::map::ENDPOINT);
            let key = EndpointKey::new(VNI, family.client.into());
            let mut endpoint = endpoints.get(&key, 0).expect("the client");
            endpoint.flags = ENDPOINT_BALANCED;
            endpoints.insert(key, endpoint, 0).expect("insert");
        }
    }

    /// Puts `size` slots from `first` on behind a virtual address.
    pub(crate) fn set_vip(&mut self, address: IpAddr, first: u32, size: u32) {
        let mut vips: HashMap<_, EndpointKey, Vip> = self.map(abi::map::VIP);
        let vip = Vip {
            ring: Ring { first, size },
            service: 1,
            _reserved: 0,
        };
        vips.insert(EndpointKey::new(VNI, address.into()), vip, 0)
            .expect("insert");
    }

    pub(crate) fn set_slots(&mut self, first: u32, backends: &[u32]) {
        let mut ring: Array<_, Slots> = self.map(abi::map::RING);
        for (slot, backend) in (first as usize..).zip(backends) {
            let entry = (slot / SLOTS) as u32;
            let mut slots = ring.get(&entry, 0).expect("slots");
            slots.backends[slot % SLOTS] = *backend;
            ring.set(entry, slots, 0).expect("set a slot");
        }
    }

    pub(crate) fn set_backend(&mut self, number: u32, address: IpAddr, peer: u32) {
        let mut backends: HashMap<_, u32, Backend> = self.map(abi::map::BACKEND);
        let backend = Backend {
            address: address.into(),
            vni: VNI,
            peer,
            service: 1,
            _reserved: 0,
        };
        backends.insert(number, backend, 0).expect("insert");
    }

    pub(crate) fn remove_backend(&mut self, number: u32) {
        let mut backends: HashMap<_, u32, Backend> = self.map(abi::map::BACKEND);
        backends.remove(&number).expect("remove");
    }

    /// From now on the packets come from the server.
    pub(crate) fn send_as_server(&mut self) {
        self.set_sender(SERVER.into(), SERVER_V6.into(), SERVER_MAC);
    }

    fn set_sender(&mut self, v4: IpAddr, v6: IpAddr, mac: [u8; 6]) {
        let mut interfaces: HashMap<_, u32, Interface> = self.map(abi::map::INTERFACE);
        let mut interface = interfaces.get(&1, 0).expect("the interface");
        (interface.ipv4, interface.ipv6, interface.mac) = (v4.into(), v6.into(), mac);
        interfaces.insert(1, interface, 0).expect("insert");
    }

    /// Takes the routes to the remote addresses away: flows to tasks go on without.
    pub(crate) fn remove_blocks(&mut self) {
        let mut blocks: LpmTrie<_, BlockKey, Route> = self.map(abi::map::BLOCK);
        let keys: Vec<_> = blocks.keys().map(|key| key.expect("a key")).collect();
        for key in keys {
            blocks.remove(&key).expect("remove");
        }
    }

    /// What `FLOW` or `FLOW_NEW` holds.
    pub(crate) fn flows(&mut self, table: &str) -> BTreeMap<FlowKey, Flow> {
        let flows: HashMap<&mut MapData, FlowKey, Flow> = self.map(table);
        flows.iter().map(|entry| entry.expect("an entry")).collect()
    }
}
