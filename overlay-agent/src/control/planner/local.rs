//! Tables that follow from this node's endpoints.

use std::net::IpAddr;

use crate::{
    control::Row,
    model::{Attachment, EndpointEntry, InterfaceEntry, LocalTables, Place, TransitPools},
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

/// The tables of all endpoints that are not cut off.
pub fn local_tables<'a>(
    attachments: impl IntoIterator<Item = &'a Attachment>,
    pools: TransitPools,
) -> LocalTables {
    let mut tables = LocalTables::default();
    let connected = attachments
        .into_iter()
        .filter(|attachment| attachment.conflict.is_none());
    for attachment in connected {
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
    }
    tables
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
    }
}

fn endpoint_entry(attachment: &Attachment) -> EndpointEntry {
    EndpointEntry {
        ifindex: attachment.host_ifindex,
        mac: attachment.mac,
        mtu: attachment.mtu,
    }
}
