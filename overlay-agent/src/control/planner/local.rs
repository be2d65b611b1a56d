//! Tables that follow from this node's endpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    control::Row,
    model::{Attachment, EndpointEntry, InterfaceEntry, LocalTables, NamespaceEntry, Place, Vni},
};

/// What the container may send as.
pub fn interface_row(attachment: &Attachment) -> Row {
    Row::Interface(attachment.host_ifindex, interface_entry(attachment))
}

/// The ways into the container, one for each address.
pub fn endpoint_rows(attachment: &Attachment) -> impl Iterator<Item = Row> + '_ {
    attachment.addresses().map(|address| {
        let vni = attachment.vni;
        Row::Endpoint(Place { vni, address }, endpoint_entry(attachment))
    })
}

/// The tables of all endpoints that are not cut off.
pub fn local_tables<'a>(attachments: impl IntoIterator<Item = &'a Attachment>) -> LocalTables {
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
            .insert(ifindex, interface_entry(attachment));
        for address in attachment.addresses() {
            let vni = attachment.vni;
            tables
                .endpoints
                .insert(Place { vni, address }, endpoint_entry(attachment));
        }
    }
    tables.namespaces = networks
        .into_iter()
        .map(|(cookie, networks)| (cookie, NamespaceEntry::new(networks)))
        .collect();
    tables
}

fn interface_entry(attachment: &Attachment) -> InterfaceEntry {
    InterfaceEntry {
        vni: attachment.vni,
        ipv4: attachment.ipv4.map(|(address, _)| IpAddr::V4(address)),
        ipv6: attachment.ipv6.map(|(address, _)| IpAddr::V6(address)),
        mac: attachment.mac,
    }
}

fn endpoint_entry(attachment: &Attachment) -> EndpointEntry {
    EndpointEntry {
        ifindex: attachment.host_ifindex,
        mac: attachment.mac,
        mtu: attachment.mtu,
    }
}
