use netlink_packet_core::DefaultNla;
use netlink_packet_route::tc::{TcFilterBpfOption, TcOption};

use super::*;
use crate::netlink::testing::{Host, pair};

const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const ETH_P_ALL: u16 = 3;

/// A classic BPF program that lets everything pass needs neither a loader nor a file.
fn add_filter(host: &mut Host, direction: Direction, priority: u16) {
    let pass = [6_u16.to_ne_bytes(), [0, 0], [0, 0], [0, 0]].concat();
    let mut message = request(host.link.ifindex, direction.parent());
    message.header.info = u32::from(priority) << 16 | u32::from(ETH_P_ALL.to_be());
    message.attributes = vec![
        TcAttribute::Kind(BPF.to_owned()),
        TcAttribute::Options(
            [
                (TCA_BPF_OPS_LEN, 1_u16.to_ne_bytes().to_vec()),
                (TCA_BPF_OPS, pass),
            ]
            .map(|(kind, value)| DefaultNla::new(kind, value))
            .map(|nla| TcOption::Bpf(TcFilterBpfOption::Other(nla)))
            .to_vec(),
        ),
    ];
    host.socket
        .change(RouteNetlinkMessage::NewTrafficFilter(message), CREATE)
        .unwrap();
}

#[test]
fn the_discipline_comes_and_goes() {
    let [mut left, _right] = pair();
    let ifindex = left.link.ifindex;

    assert!(!left.socket.has_clsact(ifindex).unwrap());
    left.socket.add_clsact(ifindex).unwrap();
    assert!(left.socket.has_clsact(ifindex).unwrap());
    assert!(left.socket.add_clsact(ifindex).unwrap_err().is_exists());
    for direction in [Direction::Ingress, Direction::Egress] {
        assert!(
            left.socket
                .bpf_filters(ifindex, direction)
                .unwrap()
                .is_empty()
        );
    }
    left.socket.delete_clsact(ifindex).unwrap();
    assert!(!left.socket.has_clsact(ifindex).unwrap());

    let gone = left.socket.has_clsact(4_000_000).unwrap_err();
    assert!(gone.is_not_found(), "{gone:?}");
    let absent = left.socket.delete_clsact(ifindex).unwrap_err();
    assert!(
        absent
            .to_string()
            .contains("clsact qdisc of interface left"),
        "{absent}"
    );
}

#[test]
fn one_filter_is_deleted_and_the_others_stay() {
    let [mut left, _right] = pair();
    let ifindex = left.link.ifindex;
    left.socket.add_clsact(ifindex).unwrap();
    add_filter(&mut left, Direction::Ingress, 2);
    add_filter(&mut left, Direction::Ingress, 1);
    add_filter(&mut left, Direction::Ingress, 1);
    add_filter(&mut left, Direction::Egress, 9);

    let before = left
        .socket
        .bpf_filters(ifindex, Direction::Ingress)
        .unwrap();
    left.socket.delete_bpf_filter(&before[0]).unwrap();
    let after = left
        .socket
        .bpf_filters(ifindex, Direction::Ingress)
        .unwrap();

    assert_eq!(
        before
            .iter()
            .map(|filter| filter.priority)
            .collect::<Vec<_>>(),
        [1, 1, 2]
    );
    assert!(
        before.iter().all(|filter| filter.protocol == ETH_P_ALL),
        "{before:?}"
    );
    assert_eq!(after, before[1..]);
    assert_eq!(
        left.socket
            .bpf_filters(ifindex, Direction::Egress)
            .unwrap()
            .len(),
        1
    );
    let error = left.socket.delete_bpf_filter(&before[0]).unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert!(
        error.to_string().contains("at ingress of interface left"),
        "{error}"
    );
}
