//! Devices in namespaces of their own; takes root. The namespaces have no names, so that nothing is
//! left behind whatever becomes of a test.

use std::{
    net::{IpAddr, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _},
    path::PathBuf,
};

use super::*;
use crate::netlink::{Namespace, VethPair, VxlanDevice, VxlanSettings};

const RUN_DIR: &str = "/run/overlay-test";

fn namespace() -> Namespace {
    Namespace::create().expect("making a network namespace takes root")
}

/// The path by which a namespace without a name can be opened.
fn path_of(namespace: &Namespace) -> PathBuf {
    let fd = namespace.as_fd().as_raw_fd();
    PathBuf::from(format!("/proc/{}/fd/{fd}", std::process::id()))
}

fn plumbing_in(host: &Namespace, port: u16) -> KernelPlumbing {
    let open = || KernelPlumbing::open(port, Path::new(RUN_DIR));
    host.run(open).unwrap().unwrap()
}

fn wish(container: &Namespace) -> InterfaceWish {
    InterfaceWish {
        netns: path_of(container),
        host_interface: host_interface("0123456789abcdef"),
        mac: "02:42:0a:01:00:05".parse().unwrap(),
        mtu: 1400,
        ipv4: Some(([10, 1, 0, 5].into(), 24)),
        ipv6: Some(("fd00:1::5".parse().unwrap(), 64)),
        on_link: vec!["10.9.0.0/24".parse().unwrap()],
        via: vec![("0.0.0.0/0".parse().unwrap(), [10, 1, 0, 1].into())],
    }
}

#[test]
fn an_interface_is_ready_for_use() {
    let (host, container) = (namespace(), namespace());
    let mut plumbing = plumbing_in(&host, 4789);
    let wish = wish(&container);

    let made = host.run(|| plumbing.make(&wish)).unwrap().unwrap();

    assert_eq!(made.interface, "eth0");
    assert_eq!(made.namespace, container.id());
    let mut inside = Socket::open_in(&container).unwrap();
    let link = inside.link_by_name("eth0").unwrap();
    assert_eq!((link.mac, link.mtu), (Some(wish.mac), 1400));
    assert!(link.is_up() && link.has_carrier);
    assert!(inside.link_by_name("lo").unwrap().is_up());
    let addresses: Vec<IpAddr> = inside
        .addresses(link.ifindex)
        .unwrap()
        .iter()
        .map(|found| found.address)
        .collect();
    assert!(
        addresses.contains(&"10.1.0.5".parse().unwrap()),
        "{addresses:?}"
    );
    assert!(
        addresses.contains(&"fd00:1::5".parse().unwrap()),
        "{addresses:?}"
    );
    let other_subnet = inside.lookup("10.9.0.7".parse().unwrap(), None).unwrap();
    assert_eq!(
        (other_subnet.ifindex, other_subnet.gateway),
        (link.ifindex, None)
    );
    let ends = plumbing.host_ends().unwrap();
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].ifindex, ends[0].is_up), (made.host_ifindex, true));
    let host_end = plumbing.socket.link_by_index(made.host_ifindex).unwrap();
    assert_eq!(
        host_end.mtu, 65_535,
        "the program sees what the container sends"
    );
    let own = plumbing.socket.addresses(made.host_ifindex).unwrap();
    assert!(own.is_empty(), "the host end needs no address: {own:?}");
}

#[test]
fn the_next_free_name_is_taken() {
    let (host, container) = (namespace(), namespace());
    let mut plumbing = plumbing_in(&host, 4789);
    let second = InterfaceWish {
        host_interface: host_interface("ffffffffffffffff"),
        ipv4: Some(([10, 2, 0, 5].into(), 24)),
        ipv6: None,
        on_link: Vec::new(),
        via: vec![("0.0.0.0/0".parse().unwrap(), [10, 2, 0, 1].into())],
        ..wish(&container)
    };

    let made = host.run(|| {
        plumbing.make(&wish(&container)).unwrap();
        plumbing.make(&second).unwrap()
    });

    assert_eq!(made.unwrap().interface, "eth1");
}

#[test]
fn nothing_is_left_of_an_interface_that_cannot_be_configured() {
    let (host, container) = (namespace(), namespace());
    let mut plumbing = plumbing_in(&host, 4789);
    // The same subnet is on the link already, as the interface's own.
    let impossible = InterfaceWish {
        on_link: vec![
            "10.1.0.0/24".parse().unwrap(),
            "10.1.0.0/24".parse().unwrap(),
        ],
        ..wish(&container)
    };

    let error = host
        .run(|| plumbing.make(&impossible))
        .unwrap()
        .unwrap_err();

    assert_eq!(error.kind, PortErrorKind::Other);
    assert!(plumbing.host_ends().unwrap().is_empty());
    let mut inside = Socket::open_in(&container).unwrap();
    assert!(inside.find_link("eth0").unwrap().is_none());
}

#[test]
fn an_interface_is_removed_once_and_never_another_one() {
    let (host, container) = (namespace(), namespace());
    let mut plumbing = plumbing_in(&host, 4789);
    let wish = wish(&container);
    let made = host.run(|| plumbing.make(&wish)).unwrap().unwrap();

    plumbing
        .remove(&wish.host_interface, made.host_ifindex + 1)
        .unwrap();
    assert_eq!(plumbing.host_ends().unwrap().len(), 1);

    plumbing
        .remove(&wish.host_interface, made.host_ifindex)
        .unwrap();
    plumbing
        .remove(&wish.host_interface, made.host_ifindex)
        .unwrap();
    assert!(plumbing.host_ends().unwrap().is_empty());
}

#[test]
fn the_tunnel_is_made_once_and_comes_back_with_its_index() {
    let host = namespace();
    let mut plumbing = plumbing_in(&host, 4789);

    let outcomes = host.run(|| {
        let made = plumbing.tunnel().unwrap();
        let kept = plumbing.tunnel().unwrap();
        plumbing.socket.delete_link(made.0).unwrap();
        let restored = plumbing.tunnel().unwrap();
        plumbing.socket.set_down(made.0).unwrap();
        (made, kept, restored, plumbing.tunnel().unwrap())
    });

    let (made, kept, restored, raised) = outcomes.unwrap();
    assert_eq!(made.1, Some(Action::Added));
    assert_eq!(kept, (made.0, None));
    assert_eq!(restored, made);
    assert_eq!(raised, (made.0, Some(Action::Changed)));
    assert!(plumbing.remove_tunnel().unwrap());
    assert!(!plumbing.remove_tunnel().unwrap());
}

#[test]
fn a_port_that_another_has_is_refused_by_name() {
    let host = namespace();
    let mut plumbing = plumbing_in(&host, 4789);
    let settings = VxlanSettings {
        vni: 7,
        is_external: false,
        ..VxlanSettings::external(4789)
    };
    let twin = VxlanDevice {
        name: "vx7",
        mac: None,
        mtu: None,
        settings,
    };

    let (by_device, by_process) = host
        .run(|| {
            let link = plumbing.socket.create_vxlan(&twin).unwrap();
            plumbing.socket.set_up(link.ifindex).unwrap();
            let by_device = plumbing.tunnel().unwrap_err();
            plumbing.socket.delete_link(link.ifindex).unwrap();
            let _socket = UdpSocket::bind("0.0.0.0:4789").unwrap();
            (by_device, plumbing.tunnel().unwrap_err())
        })
        .unwrap();

    assert!(
        by_device.to_string().contains("vxlan device vx7"),
        "{by_device}"
    );
    let process = format!("process {}", std::process::id());
    assert!(by_process.to_string().contains(&process), "{by_process}");
    assert!(plumbing.socket.find_link(TUNNEL_NAME).unwrap().is_none());
}

#[test]
fn devices_of_others_are_left_alone() {
    let (host, elsewhere) = (namespace(), namespace());
    let mut plumbing = plumbing_in(&host, 4789);
    let foreign = VethPair {
        name: TUNNEL_NAME,
        mac: None,
        peer_name: "x",
        peer_mac: None,
        peer_namespace: &elsewhere,
        mtu: 1500,
    };
    let link = plumbing.socket.create_veth(&foreign).unwrap();

    assert!(matches!(plumbing.tunnel(), Err(TunnelError::Foreign)));
    assert!(matches!(
        plumbing.remove_tunnel(),
        Err(TunnelError::Foreign)
    ));
    plumbing.socket.delete_link(link.ifindex).unwrap();

    let mut other = host
        .run(|| KernelPlumbing::open(4789, Path::new("/run/other")).unwrap())
        .unwrap();
    host.run(|| other.tunnel().unwrap()).unwrap();
    assert!(matches!(
        plumbing.tunnel(),
        Err(TunnelError::OtherAgent { .. })
    ));
    assert!(matches!(
        plumbing.remove_tunnel(),
        Err(TunnelError::OtherAgent { .. })
    ));
}
