//! What every data plane must do, the kernel's and the one in memory.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;

use super::{Datapath, Hook, Key, Row, Table, Tables};
use crate::model::{
    BackendEntry, BackendId, Encap, EndpointEntry, InterfaceEntry, MacAddress, NamespaceEntry,
    NetworkEntry, NodeEntry, PeerEntry, PeerId, Place, PortEntry, PortKey, Protocol, RingSpan,
    RouteEntry, SLOTS, VipEntry, Vni,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

/// Two entries for every table, in an order that names nothing before it is there.
fn rows() -> Vec<Row> {
    let peer = |remote: &str, encap| PeerEntry {
        local: ip("192.0.2.1"),
        remote: ip(remote),
        next_hop: Some(ip("192.0.2.254")),
        ifindex: 7,
        mtu: 1500,
        encap,
    };
    let network = |mtu| NetworkEntry {
        gateway_ipv4: Some(ip("10.1.0.1")),
        gateway_ipv6: None,
        mtu,
        is_internal: mtu == 1280,
        is_encrypted: mtu == 1450,
    };
    let route = |peer, mac| RouteEntry {
        peer: PeerId(peer),
        mac,
    };
    let place = |number, address: &str| Place {
        vni: vni(number),
        address: ip(address),
    };
    let interface = |last| InterfaceEntry {
        vni: vni(1),
        ipv4: Some(ip("10.1.0.5")),
        ipv6: None,
        mac: mac(last),
        transit_ipv4: Some(ip("100.127.0.1")),
        transit_ipv6: None,
        is_encrypted: last == 5,
    };
    let node = NodeEntry {
        gateway_ifindex: 12,
        gateway_mac: Some(mac(7)),
        gateway_mtu: 1450,
        ingress: None,
    };
    let endpoint = |ifindex| EndpointEntry {
        ifindex,
        mac: mac(5),
        mtu: 1450,
        balanced: ifindex % 2 == 0,
        is_encrypted: ifindex % 2 == 1,
    };
    let backend = |peer: Option<PeerId>| BackendEntry {
        place: place(1, "10.1.0.200"),
        peer,
        service: 4,
    };
    let vip = |first| VipEntry {
        ring: RingSpan { first, size: 31 },
        service: 4,
    };
    let port = |address: &str, protocol| PortKey {
        address: ip(address),
        protocol,
        port: 8080,
    };
    let published = |is_host: bool| PortEntry {
        everywhere: RingSpan { first: 99, size: 7 },
        here: RingSpan::single(3),
        service: 4,
        vni: vni(1),
        target: 80,
        is_direct_return: !is_host,
        is_host,
        is_encrypted: !is_host,
    };
    vec![
        Row::Peer(PeerId(1), peer("192.0.2.2", Encap::Native)),
        Row::Peer(PeerId(2), peer("2001:db8::2", Encap::Device)),
        Row::PeerAddress(ip("192.0.2.2"), PeerId(1)),
        Row::PeerAddress(ip("2001:db8::2"), PeerId(2)),
        Row::Network(vni(1), network(1450)),
        Row::Network(vni(2), network(1280)),
        Row::Route(place(1, "10.1.0.200"), route(1, Some(mac(1)))),
        Row::Route(place(2, "10.1.0.200"), route(2, None)),
        Row::Block(vni(1), net("10.1.0.0/16"), route(1, None)),
        Row::Block(vni(1), net("10.1.0.64/26"), route(2, None)),
        Row::Interface(8, interface(5)),
        Row::Interface(9, interface(6)),
        Row::Endpoint(place(1, "10.1.0.5"), endpoint(8)),
        Row::Endpoint(place(1, "fd00::5"), endpoint(9)),
        Row::Backend(BackendId(3), backend(Some(PeerId(2)))),
        Row::Backend(BackendId(4), backend(None)),
        Row::Slots(0, [3; SLOTS]),
        Row::Slots(1, [4; SLOTS]),
        Row::Vip(place(1, "10.1.0.9"), vip(32)),
        Row::Vip(place(1, "fd00::9"), vip(0)),
        Row::OwnAddress(ip("192.0.2.1"), 7),
        Row::OwnAddress(ip("fe80::1"), 0),
        Row::Port(port("0.0.0.0", Protocol::Tcp), published(true)),
        Row::Port(port("::", Protocol::Sctp), published(false)),
        Row::Transit(ip("100.127.0.1"), place(1, "10.1.0.5")),
        Row::Transit(ip("fd6f:7665:726c::1"), place(1, "fd00::5")),
        Row::Node(node),
        Row::Namespace(4711, NamespaceEntry::new([vni(1), vni(2)])),
        Row::Namespace(1, NamespaceEntry::HOST),
    ]
}

fn count(datapath: &impl Datapath) -> usize {
    let mut count = 0;
    for table in Table::ALL {
        datapath.rows(table, &mut |_| count += 1).unwrap();
    }
    count
}

/// What is written is read, alone and in lists, until it is removed.
pub(crate) fn tables_hold_what_is_written(datapath: &mut impl Datapath) {
    assert_eq!(count(datapath), 0, "the tables are empty at first");
    for row in rows() {
        assert_eq!(datapath.get(&row.key()).unwrap(), None, "{row:?}");
        datapath.put(&row).unwrap();
        datapath.put(&row).unwrap();
        assert_eq!(datapath.get(&row.key()).unwrap(), Some(row));
    }

    assert_eq!(count(datapath), rows().len());
    let read = Tables::read(datapath).unwrap();
    for row in rows() {
        assert_eq!(read.get(&row.key()), Some(row));
    }

    for row in rows().iter().rev() {
        datapath.remove(&row.key()).unwrap();
        datapath.remove(&row.key()).unwrap();
        assert_eq!(datapath.get(&row.key()).unwrap(), None, "{row:?}");
    }
    assert_eq!(count(datapath), 0);
}

/// A block that is not there is not mistaken for a wider one around it, whichever route that has.
pub(crate) fn blocks_are_told_apart(datapath: &mut impl Datapath) {
    let peer = rows()[0];
    datapath.put(&peer).unwrap();
    let route = RouteEntry {
        peer: PeerId(1),
        mac: None,
    };
    let wide = Row::Block(vni(1), net("10.1.0.0/16"), route);
    let narrow = Row::Block(vni(1), net("10.1.0.64/26"), route);

    datapath.put(&wide).unwrap();
    assert_eq!(datapath.get(&narrow.key()).unwrap(), None);
    datapath.put(&narrow).unwrap();
    assert_eq!(datapath.get(&narrow.key()).unwrap(), Some(narrow));
    datapath.remove(&narrow.key()).unwrap();

    assert_eq!(datapath.get(&narrow.key()).unwrap(), None);
    assert_eq!(
        datapath
            .get(&Key::Block(vni(2), net("10.1.0.0/16")))
            .unwrap(),
        None
    );
    assert_eq!(datapath.get(&wide.key()).unwrap(), Some(wide));
    datapath.remove(&wide.key()).unwrap();
    datapath.remove(&peer.key()).unwrap();
}

/// A program is attached until it is detached, and can be both again.
pub(crate) fn hooks_come_and_go(datapath: &mut impl Datapath, hook: Hook) {
    assert!(!datapath.is_attached(hook).unwrap());
    assert_eq!(datapath.hooks().unwrap(), []);
    for _again in 0..2 {
        datapath.attach(hook).unwrap();
        datapath.attach(hook).unwrap();
        assert!(datapath.is_attached(hook).unwrap());
        assert_eq!(datapath.hooks().unwrap(), [hook]);

        datapath.detach(hook).unwrap();
        datapath.detach(hook).unwrap();
        assert!(is_detached_soon(datapath, hook));
        assert_eq!(datapath.hooks().unwrap(), []);
    }
}

/// The kernel lets go of a link in the background.
fn is_detached_soon(datapath: &impl Datapath, hook: Hook) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if !datapath.is_attached(hook).unwrap() {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}
