//! Why a packet was dropped. The numbers are an ABI: append only, never reuse.

/// Declares the reasons once: number, name, and what an operator should know.
macro_rules! reasons {
    ($( $(#[$meta:meta])* $name:ident = $number:literal, $label:literal, $hint:literal; )+) => {
        /// Why a packet was dropped.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
        pub enum Reason {
            $( $(#[$meta])* $name = $number, )+
        }

        impl Reason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )+ ];

            /// The name that commands and metrics print.
            pub const fn label(self) -> &'static str {
                match self { $( Self::$name => $label, )+ }
            }

            /// What it means and what to look at.
            pub const fn hint(self) -> &'static str {
                match self { $( Self::$name => $hint, )+ }
            }
        }
    };
}

reasons! {
    /// Headers end before the packet does, or contradict each other.
    Malformed = 1, "malformed", "a header is cut short or contradicts itself; look at the sender";
    /// The host-side interface is not in `INTERFACE`.
    UnknownInterface = 2, "unknown-interface", "the endpoint is being attached or was removed; `overlay audit` repairs the tables";
    /// The Ethernet source is not the endpoint's.
    SpoofedMac = 3, "spoofed-mac", "the container sends with an Ethernet address that is not its own";
    /// The IP source (or ARP sender) is not the endpoint's.
    SpoofedAddress = 4, "spoofed-address", "the container sends with an IP address that is not its own";
    /// No endpoint and no route has the destination.
    NoRoute = 5, "no-route", "nobody in the network has this address; see `overlay explain`";
    /// Broadcast and multicast are not carried.
    Multicast = 6, "multicast", "broadcast and multicast stay on the node, as in Docker's overlay";
    /// Neither IPv4, IPv6 nor ARP.
    UnsupportedProtocol = 7, "unsupported-protocol", "only IPv4, IPv6 and ARP are carried";
    /// VXLAN from an address that is no peer.
    UnknownPeer = 8, "unknown-peer", "VXLAN arrived from an address that is not a node of the cluster";
    /// VXLAN for a network that has no endpoint here.
    UnknownNetwork = 9, "unknown-network", "a peer sent for a network without endpoints on this node; its table is stale";
    /// VXLAN for an address that is not on this node.
    NoEndpoint = 10, "no-endpoint", "a peer sent for an address that is not on this node; its table is stale";
    /// Congestion was marked on the outer header of a packet that cannot carry the mark (RFC 6040).
    Congestion = 11, "congestion", "the underlay marked congestion and the inner packet is not ECN-capable";
    /// Too big for the way to the peer, and about which no ICMP error may be sent.
    TooBig = 12, "too-big", "an error message or the rest of a fragmented packet, larger than the path to the peer; nobody may be told of it";
    /// The peer of a route is missing from `PEER`.
    NoPeer = 13, "no-peer", "a route names a node that the tables do not have; `overlay audit` repairs the tables";
    /// The underlay has no way to the peer.
    NoUnderlay = 14, "no-underlay", "the host has no route to the peer's address";
    /// The kernel refused to change the packet after it had been changed in part.
    Torn = 15, "torn", "the kernel refused to resize or rewrite the packet, usually for lack of memory";
    /// An ARP or neighbour question for an address that nobody has.
    NoNeighbour = 16, "no-neighbour", "a container asked for an address that nobody in the network has";
    /// The endpoint's own duplicate-address check, which nobody may answer.
    OwnAddressCheck = 17, "own-address-check", "a container checked that its own address is free; never answered";
    /// An ARP packet that is no question.
    ArpIgnored = 18, "arp-ignored", "an ARP reply or announcement; the data plane needs none";
    /// A neighbour-discovery message that is no question.
    NeighbourIgnored = 19, "neighbour-ignored", "a neighbour-discovery message that the data plane needs not";
    /// A VIP without a backend, and a packet that may not be answered with a refusal.
    NoBackend = 40, "no-backend", "the service has no live task; only errors, resets and parts of packets are dropped, others are refused";
    /// The backend of a flow is gone, and the packet may not be answered with a refusal.
    DeadBackend = 41, "dead-backend", "the task that had this connection is gone";
    /// A later fragment for a VIP whose first fragment was not seen.
    UnknownFragment = 42, "unknown-fragment", "a part of a fragmented packet to a service came before its first part, or long after";
    /// An ICMP answer or error for a VIP about a flow that is not known.
    UnknownFlow = 43, "unknown-flow", "a container answered a service, or reported an error to it, in a flow that is not known or has ended";
    /// IPv6 extension headers before the transport header of a packet for a VIP.
    Untranslatable = 44, "untranslatable", "packets to services may have no IPv6 extension headers other than a fragment's";
    /// The network is internal, and the destination is outside of it.
    Internal = 50, "internal", "the network was created with --internal: nothing leaves it for the outside, and the host does not reach into it";
    /// The endpoint has no transit address of the packet's family.
    NoTransitAddress = 51, "no-transit-address", "no transit address stands for the container: it has none of this family, or outside.transit_pools is used up";
    /// A container sent to a transit address.
    TransitDestination = 52, "transit-destination", "a container sent to a transit address: those are between the host and its containers";
    /// A container sent to the port of VXLAN outside.
    TunnelPort = 53, "tunnel-port", "a container sent to the UDP port of VXLAN outside: other nodes would take it for a packet of this node";
    /// No hop is left for the way out, and nobody may be told.
    HopLimit = 54, "hop-limit", "an error message or the rest of a fragmented packet whose hops are used up";
    /// A transit address that stands for nobody.
    NobodyBehind = 55, "nobody-behind", "the host sent to a transit address that stands for no container";
    /// Too big for the container behind a transit address.
    TooBigInside = 56, "too-big-inside", "larger than the container's network carries; `overlay audit` corrects the MTU of the way in";
    /// IPv6 extension headers before which the checksum cannot be found.
    ExtensionHeaders = 57, "extension-headers", "IPv6 extension headers that the way out does not look behind";
    /// A mesh frame that belongs to no published port and to no client's flow.
    MeshStranger = 60, "mesh-stranger", "a node sent what belongs to no port published here, nor to a connection that came in here; its table is stale";
    /// A task on another node was chosen, and there is no ingress network to send by.
    NoIngress = 61, "no-ingress", "a published port has tasks on other nodes, and this node does not know the ingress network";
    /// A port of an SCTP packet would have to be replaced, of which not all is there to correct its checksum.
    SctpInParts = 62, "sctp-in-parts", "fragments of SCTP cannot be led to another port; publish the port under its own number";
    /// A socket was refused: what it wanted has no backend.
    SocketRefused = 70, "socket-refused", "a process asked for a service that has no running task; `overlay service ps` shows them";
    /// Of an encrypted network, and it came over the underlay as it was.
    Cleartext = 80, "cleartext", "VXLAN of an encrypted network arrived unencrypted: somebody forges it, or its sender's encryption is broken; see `overlay doctor` there";
    /// Encrypted by a node that is not the one which has the sender's address.
    ForeignSender = 81, "foreign-sender", "a node sent in an encrypted network from an address that is another node's; its table or ours is stale, or it forges";
    /// Of an encrypted network, and about to leave as it was.
    Unencrypted = 82, "unencrypted", "a packet of an encrypted network was about to leave unencrypted: the kernel's xfrm policies are gone; `overlay audit` restores them";
}

/// Entries of the per-CPU counter array: room for reasons to come.
pub const REASON_CAPACITY: u32 = 128;

impl Reason {
    /// The reason with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| *reason as u32 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_ascending_and_fit_the_array() {
        assert!(
            Reason::ALL
                .windows(2)
                .all(|two| (two[0] as u32) < two[1] as u32)
        );
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| (*reason as u32) < REASON_CAPACITY)
        );
    }

    #[test]
    fn every_number_leads_back_to_its_reason() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(*reason as u32), Some(*reason));
        }
        assert_eq!(Reason::from_number(0), None);
    }
}
