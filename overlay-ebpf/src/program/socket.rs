//! What happens to the addresses that sockets name: those of services become those of tasks on the way
//! in, and services' again on the way out.

use overlay_common::{
    address::Address,
    endpoint::EndpointKey,
    reason::Reason,
    service::{Backend, PortKey, PublishedPort, Ring, Vip},
    socket::{Believed, BelievedKey},
    walk::Walk,
};
use overlay_ebpf::socket::{Decision, Lead, Reach, Tables, Wish, decide, hash_of, is_same};

use crate::{
    context::{self, ALLOW, Allowed, Sock},
    map::{self, config, counter},
};

/// One choice for as long as the socket is connected.
#[inline(always)]
pub(crate) fn connect(sock: &mut Sock) -> Allowed {
    let reach = if sock.is_v4() { Reach::V4 } else { Reach::Both };
    lead(sock, reach, Walk::SocketConnected, |_| context::random())
}

/// One choice for all datagrams of the socket.
#[inline(always)]
pub(crate) fn send(sock: &mut Sock) -> Allowed {
    let reach = if sock.is_v4() { Reach::V4 } else { Reach::V6 };
    lead(sock, reach, Walk::SocketSent, |sock| hash_of(sock.cookie()))
}

/// Whom the socket's owner asked for, in the place of whom it talks to.
#[inline(always)]
pub(crate) fn name(sock: &mut Sock) -> Allowed {
    // The kernel asks here for every datagram of the machine; most are not of our namespaces.
    if map::socket::namespace(sock.namespace()).is_some() {
        let key = BelievedKey::new(sock.cookie(), sock.address(), sock.port());
        if let Some(believed) = map::socket::believed(&key) {
            sock.set(believed.address, believed.port);
        }
    }
    ALLOW
}

#[inline(always)]
fn lead(sock: &mut Sock, reach: Reach, walk: Walk, hash: impl FnOnce(&Sock) -> u32) -> Allowed {
    let Some(namespace) = map::socket::namespace(sock.namespace()) else {
        return ALLOW;
    };
    let wish = Wish {
        address: sock.address(),
        port: sock.port(),
        protocol: u8::try_from(sock.protocol()).unwrap_or(0),
        reach,
        hash: hash(sock),
    };
    match decide(&Maps, namespace, &wish) {
        Decision::Leave => ALLOW,
        // Packets are answered with a reset where the socket cannot be told.
        Decision::Refuse if config::set_retval() == 0 => ALLOW,
        Decision::Refuse => {
            counter::count_refused_socket(Reason::SocketRefused);
            context::refuse()
        }
        Decision::Lead(lead) => {
            if remember(sock, &wish, &lead) {
                counter::count_socket(lead.walk.unwrap_or(walk));
                sock.set(lead.address, lead.port);
            }
            ALLOW
        }
    }
}

/// Without a memory of what was asked for, the owner would be told of somebody it does not know.
#[inline(always)]
fn remember(sock: &Sock, wish: &Wish, lead: &Lead) -> bool {
    let key = BelievedKey::new(sock.cookie(), lead.address, lead.port);
    let believed = Believed {
        address: wish.address,
        backend: lead.backend,
        port: wish.port,
        _reserved: [0; 2],
    };
    let is_known = map::socket::believed(&key).is_some_and(|known| {
        is_same(&known.address, &believed.address)
            && known.port == believed.port
            && known.backend == believed.backend
    });
    is_known || map::socket::believe(&key, &believed)
}

/// The maps, as the decision looks them up.
struct Maps;

impl Tables for Maps {
    #[inline(always)]
    fn vip(&self, key: &EndpointKey) -> Option<&Vip> {
        map::service::vip(key)
    }

    #[inline(always)]
    fn port(&self, key: &PortKey) -> Option<&PublishedPort> {
        map::service::port(key)
    }

    #[inline(always)]
    fn choose(&self, ring: Ring, hash: u32) -> Option<u32> {
        map::service::choose(ring, hash)
    }

    #[inline(always)]
    fn backend(&self, number: u32) -> Option<&Backend> {
        map::service::backend(number)
    }

    #[inline(always)]
    fn transit(&self, backend: &Backend) -> Option<Address> {
        if backend.peer != 0 {
            return None;
        }
        let endpoint = map::endpoint::get(&EndpointKey::new(backend.vni, backend.address))?;
        let interface = map::interface::get(endpoint.ifindex)?;
        let transit = if backend.address.is_v4() {
            interface.transit_ipv4
        } else {
            interface.transit_ipv6
        };
        (!transit.is_unspecified()).then_some(transit)
    }

    #[inline(always)]
    fn peer(&self, id: u32) -> Option<Address> {
        map::peer::get(id).map(|peer| peer.remote)
    }

    #[inline(always)]
    fn is_own(&self, address: &Address) -> bool {
        map::transit::is_own(address)
    }

    #[inline(always)]
    fn balances_packets(&self) -> bool {
        config::packet_lb() != 0
    }

    #[inline(always)]
    fn has_way_out(&self) -> bool {
        map::node::get().is_some_and(|node| node.gateway_ifindex != 0)
    }
}
