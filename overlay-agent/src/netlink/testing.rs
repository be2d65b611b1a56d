//! Two namespaces joined by a veth pair. They have no names, so that nothing is left behind whatever
//! becomes of the test.

use super::{Link, Namespace, Socket, VethPair};

pub(super) const MTU: u32 = 1400;

/// One end of the pair and where it is.
pub(super) struct Host {
    pub(super) namespace: Namespace,
    pub(super) socket: Socket,
    pub(super) link: Link,
}

/// A namespace of its own with a socket in it.
pub(super) fn namespace() -> (Namespace, Socket) {
    let namespace = Namespace::create().expect("making a network namespace takes root");
    let socket = Socket::open_in(&namespace).expect("a socket in it");
    (namespace, socket)
}

/// The ends `left` and `right`, both switched on.
pub(super) fn pair() -> [Host; 2] {
    let (left_namespace, mut left_socket) = namespace();
    let (right_namespace, mut right_socket) = namespace();
    let left = left_socket
        .create_veth(&VethPair {
            name: "left",
            mac: None,
            peer_name: "right",
            peer_mac: None,
            peer_namespace: &right_namespace,
            mtu: MTU,
        })
        .expect("a veth pair");
    let right = right_socket.link_by_name("right").expect("its other end");
    left_socket.set_up(left.ifindex).expect("left up");
    right_socket.set_up(right.ifindex).expect("right up");
    [
        Host {
            namespace: left_namespace,
            socket: left_socket,
            link: left,
        },
        Host {
            namespace: right_namespace,
            socket: right_socket,
            link: right,
        },
    ]
}
