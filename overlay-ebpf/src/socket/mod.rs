//! Where a socket is led when its owner asks for a service: decided once, so that packets need no
//! translation.

#[cfg(test)]
mod tests;

use overlay_common::{
    address::Address,
    endpoint::EndpointKey,
    node::{DNS_IPV4, DNS_IPV6, DNS_PORT},
    service::{Backend, EVERY_IPV4, EVERY_IPV6, PORT_HOST, PortKey, PublishedPort, Ring, Vip},
    socket::{NAMESPACE_HOST, NAMESPACE_NETWORKS, Namespace},
    walk::Walk,
};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where the engines' containers look for names, whoever answers there.
const NAMES: Address = Address::from_v4([127, 0, 0, 11]);
/// Where this node answers them.
const NAME_SERVER: Address = Address::from_v4(DNS_IPV4);
const NAME_SERVER_V6: Address = Address::from_v6(DNS_IPV6);

const LOOPBACK_V6: Address = Address::from_v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// What the decisions look up.
pub trait Tables {
    /// The service behind a virtual address.
    fn vip(&self, key: &EndpointKey) -> Option<&Vip>;
    /// What answers at a published port.
    fn port(&self, key: &PortKey) -> Option<&PublishedPort>;
    /// The number of the backend that a hash chooses.
    fn choose(&self, ring: Ring, hash: u32) -> Option<u32>;
    /// The backend with this number.
    fn backend(&self, number: u32) -> Option<&Backend>;
    /// The address that stands for a backend of this node outside its network.
    fn transit(&self, backend: &Backend) -> Option<Address>;
    /// The underlay address of a peer.
    fn peer(&self, id: u32) -> Option<Address>;
    /// Whether this node has the address.
    fn is_own(&self, address: &Address) -> bool;
    /// Whether packets to virtual addresses are balanced, too.
    fn balances_packets(&self) -> bool;
    /// Whether packets of containers leave for the node's own addresses.
    fn has_way_out(&self) -> bool;
}

/// Whom a socket's owner wants to talk to.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The address.
    pub address: Address,
    /// The port, as it stands on the wire.
    pub port: [u8; 2],
    /// IP protocol.
    pub protocol: u8,
    /// Which addresses the socket can be led to.
    pub reach: Reach,
    /// Chooses the backend.
    pub hash: u32,
}

/// Which families of addresses a system call of a socket takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// IPv4 only.
    V4,
    /// IPv6 only: a datagram's address must not become an IPv4-mapped one.
    V6,
    /// IPv6, and IPv4 as IPv4-mapped addresses.
    Both,
}

/// What becomes of a socket's wish.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Nothing: it is no service, or its packets are balanced.
    Leave,
    /// There is nobody to talk to.
    Refuse,
    /// It is led elsewhere.
    Lead(Lead),
}

/// Whom a socket is led to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lead {
    /// The address.
    pub address: Address,
    /// The port, as it stands on the wire.
    pub port: [u8; 2],
    /// Key into `BACKEND`, or 0.
    pub backend: u32,
    /// How it is counted, if not by the system call.
    pub walk: Option<Walk>,
}

/// Decides about a socket of a namespace that has networks of ours, or is the host's.
#[inline(always)]
pub fn decide(tables: &impl Tables, namespace: &Namespace, wish: &Wish) -> Decision {
    if wish.protocol != TCP && wish.protocol != UDP {
        return Decision::Leave;
    }
    // Whatever is published on the node's other addresses, here it answers by itself.
    if is_same(&wish.address, &NAME_SERVER) || is_same(&wish.address, &NAME_SERVER_V6) {
        return Decision::Leave;
    }
    if namespace.flags & NAMESPACE_HOST != 0 {
        return host(tables, wish);
    }
    if is_same(&wish.address, &NAMES) {
        return names(tables, wish);
    }
    container(tables, namespace, wish)
}

/// The same number for all datagrams of a socket, so that they go to one backend while its service
/// stays as it is.
#[inline(always)]
pub fn hash_of(cookie: u64) -> u32 {
    // The finalizer of MurmurHash3 (public domain): cookies are counted up, ring slots are remainders.
    let mut hash = (cookie ^ (cookie >> 32)) as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[inline(always)]
fn names(tables: &impl Tables, wish: &Wish) -> Decision {
    if wish.port != DNS_PORT || !tables.has_way_out() {
        return Decision::Leave;
    }
    Decision::Lead(Lead {
        address: NAME_SERVER,
        port: DNS_PORT,
        backend: 0,
        walk: Some(Walk::SocketNamed),
    })
}

#[inline(always)]
fn container(tables: &impl Tables, namespace: &Namespace, wish: &Wish) -> Decision {
    for at in 0..NAMESPACE_NETWORKS {
        if at >= namespace.count as usize {
            break;
        }
        let key = EndpointKey::new(namespace.vnis[at], wish.address);
        if let Some(vip) = tables.vip(&key) {
            return to_backend(tables, vip.ring, wish);
        }
    }
    if is_loopback(&wish.address) || !tables.is_own(&wish.address) {
        return Decision::Leave;
    }
    match published(tables, wish) {
        Some(published) => to_published(tables, namespace, published, wish),
        None => Decision::Leave,
    }
}

/// A container that asks its own node is led to the task where it shares a network with it, and to the task's node,
/// which answers at the same port, where it does not. What is left are tasks of this node in networks of others: to
/// them packets are led.
#[inline(always)]
fn to_published(
    tables: &impl Tables,
    namespace: &Namespace,
    published: &PublishedPort,
    wish: &Wish,
) -> Decision {
    let ring = if published.flags & PORT_HOST != 0 {
        published.here
    } else {
        published.everywhere
    };
    if ring.size == 0 {
        return Decision::Refuse;
    }
    let Some(number) = tables.choose(ring, wish.hash) else {
        return Decision::Leave;
    };
    let Some(backend) = tables.backend(number) else {
        return Decision::Leave;
    };
    if is_in(namespace, backend.vni) {
        return Decision::Lead(Lead {
            address: backend.address,
            port: published.target,
            backend: number,
            walk: Some(Walk::SocketPublished),
        });
    }
    to_its_node(tables, backend, wish)
}

/// The node of a task may choose another one: the socket does not end with this one.
#[inline(always)]
fn to_its_node(tables: &impl Tables, backend: &Backend, wish: &Wish) -> Decision {
    if backend.peer != 0
        && let Some(address) = tables.peer(backend.peer)
        && wish.reach.includes(&address)
    {
        return Decision::Lead(Lead {
            address,
            port: wish.port,
            backend: 0,
            walk: Some(Walk::SocketPublished),
        });
    }
    Decision::Leave
}

#[inline(always)]
fn is_in(namespace: &Namespace, vni: u32) -> bool {
    for at in 0..NAMESPACE_NETWORKS {
        if at >= namespace.count as usize {
            break;
        }
        if namespace.vnis[at] == vni {
            return true;
        }
    }
    false
}

#[inline(always)]
fn to_backend(tables: &impl Tables, ring: Ring, wish: &Wish) -> Decision {
    if ring.size == 0 {
        // Nobody refuses datagrams before they are sent, and a task may come meanwhile.
        let are_packets_refused = wish.protocol == UDP && tables.balances_packets();
        return if are_packets_refused {
            Decision::Leave
        } else {
            Decision::Refuse
        };
    }
    // What is missing now is being changed; the packets find out how it ends.
    let Some(number) = tables.choose(ring, wish.hash) else {
        return Decision::Leave;
    };
    let Some(backend) = tables.backend(number) else {
        return Decision::Leave;
    };
    Decision::Lead(Lead {
        address: backend.address,
        port: wish.port,
        backend: number,
        walk: None,
    })
}

/// A process of the host is led to a task of this node by the address that stands for it outside, or
/// to another node, which answers at the same port.
#[inline(always)]
fn host(tables: &impl Tables, wish: &Wish) -> Decision {
    if !is_loopback(&wish.address) && !tables.is_own(&wish.address) {
        return Decision::Leave;
    }
    let Some(published) = published(tables, wish) else {
        return Decision::Leave;
    };
    let is_here_only = published.flags & PORT_HOST != 0;
    if published.here.size == 0 && (is_here_only || published.everywhere.size == 0) {
        return Decision::Refuse;
    }
    let here = tables.choose(published.here, wish.hash);
    if let Some(number) = here
        && let Some(backend) = tables.backend(number)
        && let Some(address) = tables.transit(backend)
        && wish.reach.includes(&address)
    {
        return Decision::Lead(Lead {
            address,
            port: published.target,
            backend: number,
            walk: Some(Walk::SocketPublished),
        });
    }
    if is_here_only {
        return Decision::Leave;
    }
    let elsewhere = tables.choose(published.everywhere, wish.hash);
    match elsewhere.and_then(|number| tables.backend(number)) {
        Some(backend) => to_its_node(tables, backend, wish),
        None => Decision::Leave,
    }
}

#[inline(always)]
fn published<'a>(tables: &'a impl Tables, wish: &Wish) -> Option<&'a PublishedPort> {
    let at = |address| PortKey {
        address,
        port: wish.port,
        protocol: wish.protocol,
        _reserved: [0; 5],
    };
    if let Some(published) = tables.port(&at(wish.address)) {
        return Some(published);
    }
    let every = if wish.address.is_v4() {
        EVERY_IPV4
    } else {
        EVERY_IPV6
    };
    tables.port(&at(every))
}

/// 127.0.0.0/8 or `::1`.
#[inline(always)]
fn is_loopback(address: &Address) -> bool {
    (address.is_v4() && address.last_four()[0] == 127) || is_same(address, &LOOPBACK_V6)
}

/// As `==`, a word at a time: of a comparison of 16 bytes LLVM 22 makes an alignment of 16, which its BPF
/// backend cannot copy with.
#[inline(always)]
pub fn is_same(one: &Address, other: &Address) -> bool {
    (one.words[0] ^ other.words[0]) | (one.words[1] ^ other.words[1]) == 0
}

impl Reach {
    #[inline(always)]
    fn includes(self, address: &Address) -> bool {
        match self {
            Self::V4 => address.is_v4(),
            Self::V6 => !address.is_v4(),
            Self::Both => true,
        }
    }
}
