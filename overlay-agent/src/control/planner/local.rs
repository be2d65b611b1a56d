//! Tables that follow from this node's endpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    control::Row,
    model::{
        Attachment, BackendEntry, BackendId, EndpointEntry, FIRST_LOCAL_NUMBER, InterfaceEntry,
        LocalTables, NamespaceEntry, Place, PortEntry, PortKey, PublishedPort, RingSpan,
        TransitPools, Vni,
    },
};

/// What the container may send as.
pub fn interface_row(attachment: &Attachment, pools: TransitPools) -> Row {
    Row::Interface(attachment.host_ifindex, interface_entry(attachment, pools))
}

/// The ways into the container, one for each address.
pub fn endpoint_rows(attachment: &Attachment) -> impl Iterator<Item = Row> + '_ {
    attachment.addresses().map(|address| {
        let vni = attachment.vni;
        Row::Endpoint(Place { vni, address }, endpoint_entry(attachment))
    })
}

/// Which addresses stand for the container outside.
pub fn transit_rows(
    attachment: &Attachment,
    pools: TransitPools,
) -> impl Iterator<Item = Row> + '_ {
    attachment.addresses().filter_map(move |address| {
        let vni = attachment.vni;
        let stand_in = pools.stand_in(address, attachment.transit)?;
        Some(Row::Transit(stand_in, Place { vni, address }))
    })
}

/// The ports that an endpoint publishes itself, after what is behind them.
pub fn published_rows(attachment: &Attachment) -> Vec<Row> {
    let behind = backends(attachment);
    let backends = behind.iter().map(|(id, entry)| Row::Backend(*id, *entry));
    let ports = ports(attachment).map(|(key, entry)| Row::Port(key, entry));
    backends.chain(ports).collect()
}

/// Under which keys a port is found for clients that reach an endpoint at one of these addresses.
pub fn port_keys(
    port: PublishedPort,
    addresses: impl Iterator<Item = IpAddr>,
) -> impl Iterator<Item = PortKey> {
    addresses.filter_map(move |address| {
        let every = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let at = port.address.unwrap_or(every);
        (at.is_ipv4() == address.is_ipv4()).then_some(PortKey {
            address: at,
            protocol: port.protocol,
            port: port.published,
        })
    })
}

/// The tables of all endpoints that are not cut off.
pub fn local_tables<'a>(
    attachments: impl IntoIterator<Item = &'a Attachment>,
    pools: TransitPools,
) -> LocalTables {
    let mut tables = LocalTables::default();
    let connected = attachments
        .into_iter()
        .filter(|attachment| attachment.conflict.is_none());
    let mut networks: BTreeMap<u64, BTreeSet<Vni>> = BTreeMap::new();
    for attachment in connected {
        if let Some(cookie) = attachment.cookie {
            networks.entry(cookie).or_default().insert(attachment.vni);
        }
        let ifindex = attachment.host_ifindex;
        tables
            .interfaces
            .insert(ifindex, interface_entry(attachment, pools));
        for address in attachment.addresses() {
            let vni = attachment.vni;
            let place = Place { vni, address };
            tables.endpoints.insert(place, endpoint_entry(attachment));
            if let Some(stand_in) = pools.stand_in(address, attachment.transit) {
                tables.transit.insert(stand_in, place);
            }
        }
        tables.backends.extend(backends(attachment));
        tables.ports.extend(ports(attachment));
    }
    tables.namespaces = networks
        .into_iter()
        .map(|(cookie, networks)| (cookie, NamespaceEntry::new(networks)))
        .collect();
    tables
}

/// The number of an endpoint's address among the backends. The kernel counts interfaces up for as long as it
/// runs, so that no other endpoint ever gets it.
fn backend_id(attachment: &Attachment, address: IpAddr) -> BackendId {
    let family = if address.is_ipv4() { 0 } else { 1 << 30 };
    BackendId(FIRST_LOCAL_NUMBER | family | attachment.host_ifindex)
}

fn service_number(attachment: &Attachment) -> u32 {
    FIRST_LOCAL_NUMBER | attachment.host_ifindex
}

fn backends(attachment: &Attachment) -> Vec<(BackendId, BackendEntry)> {
    if attachment.ports.is_empty() {
        return Vec::new();
    }
    let backend = |address| {
        let vni = attachment.vni;
        let entry = BackendEntry {
            place: Place { vni, address },
            peer: None,
            service: service_number(attachment),
        };
        (backend_id(attachment, address), entry)
    };
    attachment.addresses().map(backend).collect()
}

fn ports(attachment: &Attachment) -> impl Iterator<Item = (PortKey, PortEntry)> + '_ {
    let all = attachment.ports.iter().flat_map(|port| {
        let keys = port_keys(*port, attachment.addresses());
        keys.map(|key| (*port, key))
    });
    all.filter_map(|(port, key)| {
        let mut addresses = attachment.addresses();
        let address = addresses.find(|address| address.is_ipv4() == key.address.is_ipv4())?;
        let BackendId(backend) = backend_id(attachment, address);
        let entry = PortEntry {
            everywhere: RingSpan::default(),
            here: RingSpan::single(backend),
            service: service_number(attachment),
            vni: attachment.vni,
            target: port.target,
            is_direct_return: false,
            is_host: true,
            is_encrypted: attachment.encrypted,
        };
        Some((key, entry))
    })
}

fn interface_entry(attachment: &Attachment, pools: TransitPools) -> InterfaceEntry {
    let ipv4 = attachment.ipv4.map(|(address, _)| IpAddr::V4(address));
    let ipv6 = attachment.ipv6.map(|(address, _)| IpAddr::V6(address));
    let stand_in = |address| pools.stand_in(address, attachment.transit);
    InterfaceEntry {
        vni: attachment.vni,
        ipv4,
        ipv6,
        mac: attachment.mac,
        transit_ipv4: ipv4.and_then(stand_in),
        transit_ipv6: ipv6.and_then(stand_in),
        is_encrypted: attachment.encrypted,
    }
}

fn endpoint_entry(attachment: &Attachment) -> EndpointEntry {
    EndpointEntry {
        ifindex: attachment.host_ifindex,
        mac: attachment.mac,
        mtu: attachment.mtu,
        balanced: false,
        is_encrypted: attachment.encrypted,
    }
}
