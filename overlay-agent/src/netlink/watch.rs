//! News of what others change, so that nobody has to look again and again.

use std::{collections::VecDeque, io};

use netlink_packet_core::DecodeError;
use netlink_packet_route::{AddressFamily, link::LinkHeader, neighbour::NeighbourHeader};
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use nix::{
    libc,
    sys::socket::{setsockopt, sockopt::RcvBufForce},
};
use tokio::runtime::Handle;

use super::{
    Error, Namespace,
    error::Failure,
    message::{Message, Messages},
};

/// Room for the news of some thousand interfaces that come or go at once.
const RECEIVE_BUFFER: usize = 8 << 20;

const GROUPS: [u32; 6] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_NEIGH,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV6_ROUTE,
];

/// Something that changed. It tells where to look, not what is there now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// An interface was deleted or went to another namespace.
    LinkGone {
        /// Its index; a later interface may get the same one.
        ifindex: u32,
    },
    /// An interface is new or different.
    LinkChanged {
        /// Its index.
        ifindex: u32,
    },
    /// An address came or went.
    AddressChanged,
    /// A route came, went or changed.
    RouteChanged,
    /// A neighbour came, went or changed.
    NeighbourChanged {
        /// The interface it is reached by.
        ifindex: u32,
    },
    /// Changes were lost; everything must be looked at again.
    Overrun,
}

/// Yields changes of links, addresses, routes and neighbours in one namespace.
///
/// Whatever happens after it was opened is reported, so open it first and read the present state
/// second. Dropping it ends the subscription.
pub struct Watcher {
    socket: TokioSocket,
    pending: VecDeque<Change>,
}

impl Watcher {
    /// Watches the calling thread's network namespace.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open() -> Result<Self, Error> {
        let socket = subscribe().map_err(failed)?;
        Ok(Self {
            socket,
            pending: VecDeque::new(),
        })
    }

    /// Watches another network namespace.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        let runtime = Handle::current();
        namespace.run(|| {
            let _entered = runtime.enter();
            Self::open()
        })?
    }

    /// Waits for the next change. Loses nothing if it is cancelled.
    pub async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Ok(change);
            }
            match self.socket.recv_from_full().await {
                Ok((datagram, _kernel)) => queue_changes(&datagram, &mut self.pending),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.pending.push_back(Change::Overrun);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

fn subscribe() -> Result<TokioSocket, Failure> {
    let mut watcher = TokioSocket::new(NETLINK_ROUTE)?;
    let socket = watcher.socket_mut();
    socket.connect(&SocketAddr::new(0, 0))?;
    setsockopt(socket, RcvBufForce, &RECEIVE_BUFFER)?;
    for group in GROUPS {
        socket.add_membership(group)?;
    }
    Ok(watcher)
}

fn failed(failure: Failure) -> Error {
    failure.during("watch", "the network configuration")
}

/// Leaves out what the change just before it says already.
fn queue_changes(datagram: &[u8], pending: &mut VecDeque<Change>) {
    for message in Messages::new(datagram) {
        let change = message
            .and_then(|message| decode(&message))
            .unwrap_or(Some(Change::Overrun));
        if change.is_some() && pending.back() != change.as_ref() {
            pending.extend(change);
        }
    }
}

fn decode(message: &Message<'_>) -> Result<Option<Change>, DecodeError> {
    Ok(Some(match message.header.message_type {
        libc::RTM_NEWLINK => Change::LinkChanged {
            ifindex: LinkHeader::parse(message.payload)?.index,
        },
        libc::RTM_DELLINK => {
            let LinkHeader {
                interface_family,
                index: ifindex,
                ..
            } = LinkHeader::parse(message.payload)?;
            // With a family it is not the interface that went, but its place in a bridge.
            if interface_family == AddressFamily::Unspec {
                Change::LinkGone { ifindex }
            } else {
                Change::LinkChanged { ifindex }
            }
        }
        libc::RTM_NEWADDR | libc::RTM_DELADDR => Change::AddressChanged,
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE => Change::RouteChanged,
        libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH => Change::NeighbourChanged {
            ifindex: NeighbourHeader::parse(message.payload)?.ifindex,
        },
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::{
        model::MacAddress,
        netlink::{Route, testing::pair},
    };

    const PATIENCE: Duration = Duration::from_secs(10);
    const SILENCE: Duration = Duration::from_millis(100);

    /// Everything until nothing more comes.
    async fn changes(watcher: &mut Watcher) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Ok(change) = timeout(SILENCE, watcher.next()).await {
            changes.push(change.unwrap());
        }
        changes
    }

    async fn wait_for(watcher: &mut Watcher, wanted: Change) {
        let search = async { while watcher.next().await.unwrap() != wanted {} };
        timeout(PATIENCE, search)
            .await
            .unwrap_or_else(|_| panic!("no {wanted:?} came"));
    }

    #[tokio::test]
    async fn a_removed_link_is_seen_at_both_ends() {
        let [mut left, right] = pair();
        let mut here = Watcher::open_in(&left.namespace).unwrap();
        let mut there = Watcher::open_in(&right.namespace).unwrap();

        left.socket.delete_link(left.link.ifindex).unwrap();

        wait_for(
            &mut here,
            Change::LinkGone {
                ifindex: left.link.ifindex,
            },
        )
        .await;
        wait_for(
            &mut there,
            Change::LinkGone {
                ifindex: right.link.ifindex,
            },
        )
        .await;
    }

    #[tokio::test]
    async fn each_kind_of_change_is_told() {
        let [mut left, _right] = pair();
        let ifindex = left.link.ifindex;
        let mut watcher = Watcher::open_in(&left.namespace).unwrap();

        left.socket.set_mtu(ifindex, 1300).unwrap();
        wait_for(&mut watcher, Change::LinkChanged { ifindex }).await;
        left.socket
            .add_address(ifindex, "10.9.0.1".parse().unwrap(), 24)
            .unwrap();
        wait_for(&mut watcher, Change::AddressChanged).await;
        left.socket
            .add_route(&Route::on_link("10.10.0.0".parse().unwrap(), 16, ifindex))
            .unwrap();
        wait_for(&mut watcher, Change::RouteChanged).await;
        let mac = MacAddress([2, 0, 0, 0, 0, 1]);
        let peer = "10.9.0.2".parse().unwrap();
        left.socket
            .set_permanent_neighbour(ifindex, peer, mac)
            .unwrap();
        wait_for(&mut watcher, Change::NeighbourChanged { ifindex }).await;
    }

    #[tokio::test]
    async fn a_link_that_leaves_a_bridge_is_not_gone() {
        let [left, mut right] = pair();
        let ifindex = right.link.ifindex;
        let ip = |arguments: &str| {
            let run = || {
                std::process::Command::new("ip")
                    .args(arguments.split(' '))
                    .status()
            };
            assert!(
                right.namespace.run(run).unwrap().unwrap().success(),
                "ip {arguments}"
            );
        };
        ip("link add bridge type bridge");
        ip("link set right master bridge");
        let mut watcher = Watcher::open_in(&right.namespace).unwrap();

        ip("link set right nomaster");

        let seen = changes(&mut watcher).await;
        assert!(seen.contains(&Change::LinkChanged { ifindex }), "{seen:?}");
        assert!(!seen.contains(&Change::LinkGone { ifindex }), "{seen:?}");
        assert!(right.socket.link_by_index(ifindex).is_ok());
        drop(left);
    }

    #[tokio::test]
    async fn lost_changes_are_told_and_later_ones_come() {
        let [mut left, _right] = pair();
        let ifindex = left.link.ifindex;
        let mut watcher = Watcher::open_in(&left.namespace).unwrap();
        setsockopt(watcher.socket.socket_ref(), RcvBufForce, &4096).unwrap();

        for mtu in 1000..1100 {
            left.socket.set_mtu(ifindex, mtu).unwrap();
        }

        wait_for(&mut watcher, Change::Overrun).await;
        changes(&mut watcher).await;
        left.socket.delete_link(ifindex).unwrap();
        wait_for(&mut watcher, Change::LinkGone { ifindex }).await;
    }
}
