//! Names that both sides must spell alike.

/// Version of everything in this crate. Raised whenever the layout or the meaning of a map changes;
/// part of the pin directory's name, so two versions never open each other's maps.
pub const VERSION: u32 = 2;

/// Names of the programs in the object, also their names in the kernel (at most 15 characters).
pub mod program {
    /// TC ingress of the host end of an endpoint's veth.
    pub const FROM_CONTAINER: &str = "from_container";
    /// TC ingress of the underlay device.
    pub const FROM_UNDERLAY: &str = "from_underlay";
    /// TC ingress of the collect-metadata vxlan device.
    pub const FROM_TUNNEL: &str = "from_tunnel";
    /// TC egress of the gateway's near end.
    pub const FROM_HOST: &str = "from_host";
    /// TC egress of the underlay device, while anything is encrypted.
    pub const TO_UNDERLAY: &str = "to_underlay";

    /// `connect` of IPv4 sockets, at the root of the cgroups.
    pub const CONNECT4: &str = "sock_connect4";
    /// `connect` of IPv6 sockets.
    pub const CONNECT6: &str = "sock_connect6";
    /// `sendto` and its like of IPv4 sockets that are not connected.
    pub const SENDMSG4: &str = "sock_sendmsg4";
    /// The same of IPv6 sockets.
    pub const SENDMSG6: &str = "sock_sendmsg6";
    /// `recvfrom` and its like of IPv4 sockets.
    pub const RECVMSG4: &str = "sock_recvmsg4";
    /// The same of IPv6 sockets.
    pub const RECVMSG6: &str = "sock_recvmsg6";
    /// `getpeername` of IPv4 sockets.
    pub const GETPEERNAME4: &str = "sock_peername4";
    /// The same of IPv6 sockets.
    pub const GETPEERNAME6: &str = "sock_peername6";

    /// Those that look at packets, in the order in which they are loaded.
    pub const ALL: [&str; 5] = [
        FROM_CONTAINER,
        FROM_UNDERLAY,
        FROM_TUNNEL,
        FROM_HOST,
        TO_UNDERLAY,
    ];
    /// Those that look at sockets, which not every kernel takes.
    pub const SOCKET: [&str; 8] = [
        CONNECT4,
        CONNECT6,
        SENDMSG4,
        SENDMSG6,
        RECVMSG4,
        RECVMSG6,
        GETPEERNAME4,
        GETPEERNAME6,
    ];
}

/// Names of the maps in the object, also the names of their pins (at most 15 characters).
pub mod map {
    /// `EndpointKey` → `Endpoint`: containers on this node.
    pub const ENDPOINT: &str = "ENDPOINT";
    /// `u32` interface index → `Interface`: whose packets enter there.
    pub const INTERFACE: &str = "INTERFACE";
    /// `EndpointKey` → `Route`: single remote addresses.
    pub const ROUTE: &str = "ROUTE";
    /// `BlockKey` → `Route`: remote address blocks (longest prefix wins).
    pub const BLOCK: &str = "BLOCK";
    /// `u32` peer id → `Peer`: how to reach a node.
    pub const PEER: &str = "PEER";
    /// `Address` → `u32` peer id: which node an outer source is.
    pub const PEER_BY_ADDR: &str = "PEER_BY_ADDR";
    /// `u32` VNI → `Network`.
    pub const NETWORK: &str = "NETWORK";
    /// Index 0 → `Node`: this node.
    pub const NODE: &str = "NODE";
    /// `EndpointKey` → `Vip`: virtual addresses of services.
    pub const VIP: &str = "VIP";
    /// `PortKey` → `PublishedPort`.
    pub const PORT: &str = "PORT";
    /// `u32` backend → `Backend`.
    pub const BACKEND: &str = "BACKEND";
    /// Index → `Slots`: the rings of all services.
    pub const RING: &str = "RING";
    /// `FlowKey` → `Flow`: flows that both sides have sent in; the agent takes old ones away.
    pub const FLOW: &str = "FLOW";
    /// `FlowKey` → `Flow`: flows that nobody has answered yet; the oldest make room.
    pub const FLOW_NEW: &str = "FLOW_NEW";
    /// `FragmentKey` → `Fragment`.
    pub const FRAGMENT: &str = "FRAGMENT";
    /// `Address` → `EndpointKey`: which container a transit address stands for.
    pub const TRANSIT: &str = "TRANSIT";
    /// `Address` → `u32` interface index: this node's own addresses.
    pub const OWN_ADDRESS: &str = "OWN_ADDRESS";
    /// `u64` namespace cookie → `Namespace`.
    pub const NAMESPACE: &str = "NAMESPACE";
    /// `BelievedKey` → `Believed`.
    pub const BELIEVED: &str = "BELIEVED";
    /// `Reason` → `Count` per CPU.
    pub const REASON_COUNT: &str = "REASON_COUNT";
    /// `Walk` → `Count` per CPU.
    pub const WALK_COUNT: &str = "WALK_COUNT";
    /// Ring buffer of `Event`.
    pub const EVENT: &str = "EVENT";
    /// Index 0 → `u64`: events lost because the ring was full.
    pub const EVENT_LOST: &str = "EVENT_LOST";

    /// Every map of the object.
    pub const ALL: [&str; 23] = [
        ENDPOINT,
        INTERFACE,
        ROUTE,
        BLOCK,
        PEER,
        PEER_BY_ADDR,
        NETWORK,
        NODE,
        VIP,
        PORT,
        BACKEND,
        RING,
        FLOW,
        FLOW_NEW,
        FRAGMENT,
        TRANSIT,
        OWN_ADDRESS,
        NAMESPACE,
        BELIEVED,
        REASON_COUNT,
        WALK_COUNT,
        EVENT,
        EVENT_LOST,
    ];
}

/// Name of the read-only global that holds [`crate::config::Config`].
pub const CONFIG: &str = "CONFIG";

#[cfg(test)]
mod tests {
    use super::{map, program};

    #[test]
    fn names_fit_the_kernels_fifteen_characters() {
        for name in map::ALL.iter().chain(&program::ALL).chain(&program::SOCKET) {
            assert!(name.len() <= 15, "{name}");
        }
    }
}
