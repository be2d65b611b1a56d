use super::*;
use crate::netlink::testing::{MTU, namespace, pair};

/// The kernel updates the operational state in the background.
fn wait_for(socket: &mut Socket, ifindex: u32, is_wanted: impl Fn(&Link) -> bool) -> Link {
    for _ in 0..500 {
        let link = socket.link_by_index(ifindex).unwrap();
        if is_wanted(&link) {
            return link;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{:?} stays as it is", socket.link_by_index(ifindex));
}

#[test]
fn a_link_has_carrier_while_both_ends_are_up() {
    let [mut left, mut right] = pair();
    let ifindex = left.link.ifindex;
    let is_running = |link: &Link| link.operational_state == OperationalState::Up;

    let up = wait_for(&mut left.socket, ifindex, is_running);
    right.socket.set_down(right.link.ifindex).unwrap();
    let down = wait_for(&mut left.socket, ifindex, |link| !is_running(link));

    assert!(!left.link.is_up() && !left.link.has_carrier);
    assert!(up.is_up() && up.has_carrier);
    assert!(down.is_up() && !down.has_carrier);
    assert!(!right.socket.link_by_name("right").unwrap().is_up());
}

#[test]
fn what_is_set_can_be_read_back() {
    let [mut left, _right] = pair();
    let ifindex = left.link.ifindex;
    let mac = MacAddress([2, 0x42, 10, 1, 0, 9]);

    left.socket.set_mtu(ifindex, MTU - 100).unwrap();
    left.socket.set_mac(ifindex, mac).unwrap();
    left.socket.set_down(ifindex).unwrap();
    left.socket.rename(ifindex, "fifteen-bytes-x").unwrap();

    let link = left.socket.link_by_index(ifindex).unwrap();
    assert_eq!(link.name, "fifteen-bytes-x");
    assert_eq!(link.mac, Some(mac));
    assert_eq!(link.mtu, MTU - 100);
    assert_eq!(link.kind.as_deref(), Some("veth"));
    assert_eq!(left.socket.find_link("left").unwrap(), None);
    assert_eq!(
        left.socket.find_link("fifteen-bytes-x").unwrap(),
        Some(link)
    );
}

#[test]
fn a_deleted_veth_takes_its_peer_with_it() {
    let [mut left, mut right] = pair();

    left.socket.delete_link(left.link.ifindex).unwrap();

    let names = |links: Vec<Link>| links.into_iter().map(|link| link.name).collect::<Vec<_>>();
    assert_eq!(names(left.socket.links().unwrap()), ["lo"]);
    assert_eq!(names(right.socket.links().unwrap()), ["lo"]);
}

#[test]
fn packets_are_counted() {
    let [mut left, right] = pair();
    left.socket
        .add_address(left.link.ifindex, "10.9.0.1".parse().unwrap(), 24)
        .unwrap();
    let mac = right.link.mac.unwrap();
    let peer = "10.9.0.2".parse().unwrap();
    left.socket
        .set_permanent_neighbour(left.link.ifindex, peer, mac)
        .unwrap();
    let before = left.socket.link_by_name("left").unwrap().statistics;

    let udp = left
        .namespace
        .run(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap())
        .unwrap();
    udp.send_to(&[0; 100], "10.9.0.2:9").unwrap();

    let after = left.socket.link_by_name("left").unwrap().statistics;
    assert!(after.sent_packets > before.sent_packets, "{after:?}");
    assert!(after.sent_bytes >= before.sent_bytes + 142, "{after:?}");
}

#[test]
fn an_error_names_the_interface_and_quotes_the_kernel() {
    let [mut left, _right] = pair();
    let ifindex = left.link.ifindex;

    let mtu = left.socket.set_mtu(ifindex, 1_000_000).unwrap_err();
    let gone = left.socket.set_up(4_000_000).unwrap_err();
    left.socket.set_down(ifindex).unwrap();
    let taken = left.socket.rename(ifindex, "lo").unwrap_err();
    let missing = left.socket.link_by_name("nothing").unwrap_err();

    let expected =
        "could not set the MTU of interface left to 1000000 (mtu greater than device maximum)";
    assert_eq!(mtu.to_string(), expected);
    assert!(gone.is_not_found());
    assert_eq!(
        gone.to_string(),
        "could not switch on the interface with index 4000000"
    );
    assert!(taken.is_exists());
    assert_eq!(taken.to_string(), "could not rename interface left to lo");
    assert!(missing.is_not_found());
    assert_eq!(missing.to_string(), "could not find interface nothing");
    let long = left.socket.rename(ifindex, "sixteen-bytes-xx").unwrap_err();
    assert!(matches!(long, Error::InvalidName { .. }));
}

#[test]
fn many_links_are_all_listed() {
    let (there, mut peers) = namespace();
    let (_here, mut socket) = namespace();
    for index in 0..200 {
        let [name, peer_name] = [format!("a{index}"), format!("b{index}")];
        socket
            .create_veth(&crate::netlink::VethPair {
                name: &name,
                mac: None,
                peer_name: &peer_name,
                peer_mac: None,
                peer_namespace: &there,
                mtu: MTU,
            })
            .unwrap();
    }

    assert_eq!(socket.links().unwrap().len(), 201);
    assert_eq!(peers.links().unwrap().len(), 201);
}
