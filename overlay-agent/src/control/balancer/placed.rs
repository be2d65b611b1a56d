//! One service in the tables, before and after a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Extent, Placing, numbers::Numbers};
use crate::{
    control::{
        Key, Row,
        maglev::{self, Member},
        rings::{self, Regions},
    },
    model::{
        BackendEntry, BackendId, Balanced, PeerId, Place, PortEntry, PortKey, PublishMode,
        PublishedPort, RingSpan, SLOTS, Slots, Task, VipEntry, Vni,
    },
};

/// A service as it is in the tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    number: u32,
    pub(super) backends: BTreeMap<Place, Backend>,
    pub(super) rings: BTreeMap<Audience, Ring>,
    pub(super) vips: BTreeSet<Place>,
    pub(super) ports: BTreeSet<PortKey>,
}

/// A task in the tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Backend {
    pub(super) id: BackendId,
    /// Its node's underlay address; `None`: this node.
    pub(super) node: Option<IpAddr>,
    /// Which endpoint it is; `None`: only an earlier agent knew.
    pub(super) life: Option<u64>,
    pub(super) is_open: bool,
}

/// Whom a ring is for. One ring holds addresses of one network and one family.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct Audience {
    vni: Vni,
    is_ipv4: bool,
    scope: Scope,
}

/// Where its backends are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Scope {
    /// On all nodes.
    Everywhere,
    /// On this one.
    Here,
}

/// A ring in the tables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Ring {
    pub(super) span: RingSpan,
    /// What its slots follow from; `None`: an earlier agent filled them.
    members: Option<Vec<Member>>,
    /// Whether there was no room for a larger one.
    is_crowded: bool,
}

impl Audience {
    /// Of the addresses like this one.
    pub(super) fn of(place: Place, scope: Scope) -> Self {
        Self {
            vni: place.vni,
            is_ipv4: place.address.is_ipv4(),
            scope,
        }
    }

    fn hears(self, place: Place, backend: &Backend) -> bool {
        let is_in_scope = match self.scope {
            Scope::Everywhere => true,
            Scope::Here => backend.node.is_none(),
        };
        is_in_scope && place.vni == self.vni && place.address.is_ipv4() == self.is_ipv4
    }
}

impl Ring {
    /// A ring of an earlier agent.
    pub(super) fn unknown(span: RingSpan) -> Self {
        Self {
            span,
            members: None,
            is_crowded: false,
        }
    }

    fn entries(&self) -> std::ops::Range<u32> {
        let (start, length) = rings::region(self.span);
        start..start + length
    }

    fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        let members = self.members.as_deref().unwrap_or_default();
        let entries = self.entries();
        let size = if entries.is_empty() {
            0
        } else {
            self.span.size
        };
        let slots = maglev::fill(members, size);
        let start = entries.start;
        let entries: Vec<Row> = slots
            .chunks(SLOTS)
            .zip(start..)
            .map(|(part, entry)| {
                let mut slots: Slots = [0; SLOTS];
                slots[..part.len()].copy_from_slice(part);
                Row::Slots(entry, slots)
            })
            .collect();
        entries.into_iter()
    }
}

/// What the next state of a service follows from.
pub(super) struct Step<'a> {
    pub(super) number: u32,
    pub(super) wanted: &'a Balanced,
    pub(super) peers: &'a BTreeMap<IpAddr, PeerId>,
    pub(super) is_believing: bool,
    pub(super) regions: &'a mut Regions,
    pub(super) numbers: &'a mut Numbers,
}

impl Step<'_> {
    /// The service after this step.
    pub(super) fn take(&mut self, before: &Placed) -> Placed {
        let backends = self.backends(before);
        let mut after = Placed {
            number: self.number,
            vips: self.wanted.vips.clone(),
            ports: self.wanted.ports.iter().flat_map(port_keys).collect(),
            rings: BTreeMap::new(),
            backends,
        };
        for audience in audiences(self.wanted) {
            let ring = self.ring(audience, &after.backends, before.rings.get(&audience));
            after.rings.insert(audience, ring);
        }
        for (audience, ring) in &before.rings {
            if !after.rings.contains_key(audience) {
                self.regions.give_back(ring.span);
            }
        }
        after
    }

    fn backends(&mut self, before: &Placed) -> BTreeMap<Place, Backend> {
        let mut backends = BTreeMap::new();
        for (place, task) in &self.wanted.tasks {
            if task
                .node
                .is_some_and(|node| !self.peers.contains_key(&node))
            {
                continue;
            }
            let known = before.backends.get(place);
            let known = known
                .filter(|known| known.is_of(task))
                .map(|known| known.id);
            let backend = Backend {
                id: known.unwrap_or_else(|| self.numbers.backend()),
                node: task.node,
                life: Some(task.life),
                is_open: task.is_open,
            };
            backends.insert(*place, backend);
        }
        if self.is_believing {
            for (place, backend) in &before.backends {
                let is_there = backend
                    .node
                    .is_some_and(|node| self.peers.contains_key(&node));
                if backend.life.is_none() && is_there {
                    backends.entry(*place).or_insert(*backend);
                }
            }
        }
        backends
    }

    /// A ring whose size stays is filled anew where it is: each slot is of the same service, before and
    /// after. Another size takes another region, so that no slot is read by the wrong measure.
    fn ring(
        &mut self,
        audience: Audience,
        backends: &BTreeMap<Place, Backend>,
        before: Option<&Ring>,
    ) -> Ring {
        let mut members: Vec<Member> = backends
            .iter()
            .filter(|(place, backend)| backend.is_open && audience.hears(**place, backend))
            .map(|(place, backend)| Member {
                seed: seed(*place),
                number: backend.id.0,
            })
            .collect();
        members.sort_unstable();
        let size = maglev::size_for(members.len());
        let known = before.filter(|ring| rings::region(ring.span).1 > 0);
        if let Some(known) = known
            && known.span.size == size
        {
            return Ring {
                span: known.span,
                members: Some(members),
                is_crowded: false,
            };
        }
        let mut fitting = Some(size).filter(|size| *size > 0);
        let mut span = None;
        while let Some(size) = fitting {
            // A crowded ring stays where it is rather than shrink further.
            if let Some(known) = known
                && known.span.size == size
            {
                return Ring {
                    span: known.span,
                    members: Some(members),
                    is_crowded: true,
                };
            }
            span = self.regions.take(size);
            if span.is_some() {
                break;
            }
            fitting = maglev::smaller(size, members.len());
        }
        if let Some(known) = known {
            self.regions.give_back(known.span);
        }
        let is_crowded = span.is_none_or(|span| span.size < size);
        // Where not even the smallest ring fits, one backend serves for all: it takes no slot.
        let last_resort = || {
            members
                .first()
                .map(|member| RingSpan::single(member.number))
        };
        let span = span.or_else(last_resort).unwrap_or_default();
        Ring {
            is_crowded: is_crowded && size > 0,
            members: Some(members),
            span,
        }
    }
}

impl Placed {
    /// Whether it has backends of which only an earlier agent knew.
    pub(super) fn has_believed(&self) -> bool {
        self.backends.values().any(|backend| backend.life.is_none())
    }

    /// Everything of it, which is wanted no longer.
    pub(super) fn given_up(self, regions: &mut Regions) -> Vec<Key> {
        for ring in self.rings.values() {
            regions.give_back(ring.span);
        }
        self.keys().collect()
    }

    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let vips = self.vips.iter().map(|place| Key::Vip(*place));
        let ports = self.ports.iter().map(|key| Key::Port(*key));
        let backends = self
            .backends
            .values()
            .map(|backend| Key::Backend(backend.id));
        let slots = self.rings.values().flat_map(Ring::entries).map(Key::Slots);
        vips.chain(ports).chain(backends).chain(slots)
    }

    /// What follows from it, seen from what was before.
    pub(super) fn compared(
        &self,
        before: &Self,
        wanted: &Balanced,
        extent: Extent,
        peers: &BTreeMap<IpAddr, PeerId>,
    ) -> Placing {
        let mut rows = self.backend_rows(peers);
        for (audience, ring) in &self.rings {
            let is_same = before.rings.get(audience) == Some(ring);
            if extent == Extent::Everything || !is_same {
                rows.extend(ring.rows());
            }
        }
        rows.extend(self.vip_rows());
        rows.extend(
            self.port_entries(wanted)
                .into_iter()
                .map(|(key, entry)| Row::Port(key, entry)),
        );
        let kept: BTreeSet<Key> = self.keys().collect();
        Placing {
            gone: before.keys().filter(|key| !kept.contains(key)).collect(),
            is_crowded: self.rings.values().any(|ring| ring.is_crowded),
            rows,
        }
    }

    fn backend_rows(&self, peers: &BTreeMap<IpAddr, PeerId>) -> Vec<Row> {
        let row = |(place, backend): (&Place, &Backend)| {
            let peer = match backend.node {
                Some(node) => Some(*peers.get(&node)?),
                None => None,
            };
            let entry = BackendEntry {
                place: *place,
                peer,
                service: self.number,
            };
            Some(Row::Backend(backend.id, entry))
        };
        self.backends.iter().filter_map(row).collect()
    }

    fn vip_rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.vips.iter().map(|place| {
            let ring = self.span(Audience::of(*place, Scope::Everywhere));
            let service = self.number;
            Row::Vip(*place, VipEntry { ring, service })
        })
    }

    pub(super) fn port_entries(&self, wanted: &Balanced) -> Vec<(PortKey, PortEntry)> {
        let Some(vni) = wanted.port_network else {
            return Vec::new();
        };
        let row = |port: &PublishedPort, key: PortKey| {
            let address = key.address;
            let ring = |scope| self.span(Audience::of(Place { vni, address }, scope));
            let is_host = port.mode == PublishMode::Host;
            let entry = PortEntry {
                everywhere: if is_host {
                    RingSpan::default()
                } else {
                    ring(Scope::Everywhere)
                },
                here: ring(Scope::Here),
                service: self.number,
                vni,
                target: port.target,
                is_direct_return: wanted.is_direct_return,
                is_host,
                is_encrypted: wanted.is_encrypted,
            };
            (key, entry)
        };
        let ports = wanted.ports.iter();
        ports
            .flat_map(|port| port_keys(port).map(move |key| row(port, key)))
            .collect()
    }

    fn span(&self, audience: Audience) -> RingSpan {
        let ring = self.rings.get(&audience);
        ring.map_or_else(RingSpan::default, |ring| ring.span)
    }
}

impl Backend {
    /// Whether a task is the one that has this number.
    fn is_of(&self, task: &Task) -> bool {
        self.node == task.node && self.life.is_none_or(|life| life == task.life)
    }
}

fn audiences(wanted: &Balanced) -> BTreeSet<Audience> {
    let vips = wanted.vips.iter();
    let mut audiences: BTreeSet<Audience> = vips
        .map(|place| Audience::of(*place, Scope::Everywhere))
        .collect();
    let Some(vni) = wanted.port_network else {
        return audiences;
    };
    for port in &wanted.ports {
        for PortKey { address, .. } in port_keys(port) {
            let place = Place { vni, address };
            audiences.insert(Audience::of(place, Scope::Here));
            if port.mode == PublishMode::Ingress {
                audiences.insert(Audience::of(place, Scope::Everywhere));
            }
        }
    }
    audiences
}

/// The keys of a port: at one address, or at all of both families.
fn port_keys(port: &PublishedPort) -> impl Iterator<Item = PortKey> + use<> {
    let (protocol, published) = (port.protocol, port.published);
    let all = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let addresses = port.address.map_or(all.to_vec(), |address| vec![address]);
    addresses.into_iter().map(move |address| PortKey {
        address,
        protocol,
        port: published,
    })
}

/// What a backend's place in rings follows from: FNV-1a, the same on every node and in every release.
fn seed(place: Place) -> u64 {
    let address = match place.address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let vni = u32::from(place.vni).to_be_bytes();
    let bytes = vni.into_iter().chain(address.octets());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
