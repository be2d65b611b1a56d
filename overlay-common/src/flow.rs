//! What was decided about a flow, so that all of its packets go the same way.

use crate::{address::Address, shared::shared};

shared! {
    /// Key: one direction of a flow, as its packets look where they enter.
    pub struct FlowKey [40] {
        /// Source address.
        pub source: Address,
        /// Destination address.
        pub destination: Address,
        /// VXLAN network identifier in the lower 24 bits ([`SCOPE_HOST`]: seen on the underlay), IP protocol in
        /// the upper 8.
        pub scope: u32,
        /// Source port as it stands on the wire; of an ICMP echo its identifier.
        pub source_port: [u8; 2],
        /// Destination port as it stands on the wire; of an ICMP echo its identifier.
        pub destination_port: [u8; 2],
    }

    /// Value: how packets of this direction are rewritten.
    pub struct Flow [64] {
        /// For a [`FLOW_FORWARD`] flow the new destination (the backend), for a [`FLOW_REVERSE`] one the new source.
        pub address: Address,
        /// The other address, if that is rewritten too: the stand-in for a task that is balanced to itself.
        pub partner: Address,
        /// Key into `BACKEND`.
        pub backend: u32,
        /// Number of the service.
        pub service: u32,
        /// The network in which the rewritten packet goes on; 0: outside.
        pub vni: u32,
        /// Key into `PEER`: the node through which a client from outside came, or 0 for this one.
        pub peer: u32,
        /// Seconds of `CLOCK_MONOTONIC` when the last packet passed.
        pub seen: u32,
        /// The new port that goes with `address`, as it stands on the wire.
        pub port: [u8; 2],
        /// One of the `FLOW_` kinds.
        pub kind: u8,
        /// One of the `STATE_` numbers.
        pub state: u8,
        /// `FLOW_` flags.
        pub flags: u8,
        /// The port at the other end, if that is rewritten too, as it stands on the wire: what stands for the client's
        /// own, or in the other direction that; 0: it stays.
        pub partner_port: [u8; 2],
        /// Zero.
        pub _reserved: [u8; 5],
    }

    /// Key: one fragmented IP packet.
    pub struct FragmentKey [40] {
        /// Source address.
        pub source: Address,
        /// Destination address.
        pub destination: Address,
        /// As in [`FlowKey::scope`].
        pub scope: u32,
        /// The packet's identification, as it stands on the wire (IPv4's two bytes first).
        pub identification: [u8; 4],
    }

    /// Value: the ports that only its first fragment carries.
    pub struct Fragment [8] {
        /// Source port as it stands on the wire.
        pub source_port: [u8; 2],
        /// Destination port as it stands on the wire.
        pub destination_port: [u8; 2],
        /// Zero.
        pub _reserved: [u8; 4],
    }
}

/// The network part of [`FlowKey::scope`] for packets outside all networks.
pub const SCOPE_HOST: u32 = 0;

/// [`Flow::kind`]: from the client to a backend.
pub const FLOW_FORWARD: u8 = 1;
/// [`Flow::kind`]: from the backend to the client.
pub const FLOW_REVERSE: u8 = 2;

/// [`Flow::flags`]: what nodes send each other of it is encrypted.
pub const FLOW_ENCRYPTED: u8 = 1;

/// [`Flow::state`]: nothing came back yet.
pub const STATE_NEW: u8 = 1;
/// [`Flow::state`]: both sides have sent.
pub const STATE_OPEN: u8 = 2;
/// [`Flow::state`]: one side of a TCP connection has ended it.
pub const STATE_CLOSING: u8 = 3;

impl Flow {
    /// The key of the other direction. Both directions of a flow lead to each other, so that they are kept
    /// and forgotten together.
    #[inline(always)]
    pub fn twin(&self, key: &FlowKey) -> FlowKey {
        let scope = FlowKey::scope(self.vni, (key.scope >> 24) as u8);
        if self.kind == FLOW_FORWARD {
            FlowKey {
                source: self.address,
                destination: self.partner_or(key.source),
                scope,
                source_port: self.port,
                destination_port: self.partner_port_or(key.source_port),
            }
        } else {
            FlowKey {
                source: self.partner_or(key.destination),
                destination: self.address,
                scope,
                source_port: self.partner_port_or(key.destination_port),
                destination_port: self.port,
            }
        }
    }

    #[inline(always)]
    fn partner_or(&self, address: Address) -> Address {
        if self.partner.is_unspecified() {
            address
        } else {
            self.partner
        }
    }

    #[inline(always)]
    fn partner_port_or(&self, port: [u8; 2]) -> [u8; 2] {
        if self.partner_port == [0; 2] {
            port
        } else {
            self.partner_port
        }
    }
}

impl FlowKey {
    /// The scope of a network (0: outside) and an IP protocol.
    #[inline(always)]
    pub const fn scope(vni: u32, protocol: u8) -> u32 {
        vni | (protocol as u32) << 24
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    const CLIENT: Address = Address::from_v4([10, 0, 0, 2]);
    const VIP: Address = Address::from_v4([10, 0, 0, 9]);
    const TASK: Address = Address::from_v4([10, 0, 0, 3]);

    fn key(source: Address, destination: Address, ports: [u16; 2]) -> FlowKey {
        FlowKey {
            source,
            destination,
            scope: FlowKey::scope(7, 6),
            source_port: ports[0].to_be_bytes(),
            destination_port: ports[1].to_be_bytes(),
        }
    }

    fn flow(kind: u8, address: Address, partner: Address, port: u16) -> Flow {
        Flow {
            kind,
            address,
            partner,
            vni: 7,
            port: port.to_be_bytes(),
            ..Flow::new_zeroed()
        }
    }

    #[test]
    fn both_directions_lead_to_each_other() {
        let none = Address::UNSPECIFIED;
        let there = key(CLIENT, VIP, [40000, 80]);
        let back = key(TASK, CLIENT, [80, 40000]);

        assert_eq!(flow(FLOW_FORWARD, TASK, none, 80).twin(&there), back);
        assert_eq!(flow(FLOW_REVERSE, VIP, none, 80).twin(&back), there);
    }

    #[test]
    fn a_task_that_calls_itself_meets_the_vip_in_both_directions() {
        let there = key(TASK, VIP, [40000, 80]);
        let back = key(TASK, VIP, [80, 40000]);

        assert_eq!(flow(FLOW_FORWARD, TASK, VIP, 80).twin(&there), back);
        assert_eq!(flow(FLOW_REVERSE, VIP, TASK, 80).twin(&back), there);
    }

    #[test]
    fn a_client_under_another_port_is_found_back() {
        let there = key(CLIENT, VIP, [40000, 8080]);
        let back = key(TASK, CLIENT, [80, 50000]);
        let mut forward = flow(FLOW_FORWARD, TASK, Address::UNSPECIFIED, 80);
        forward.partner_port = 50000_u16.to_be_bytes();
        let mut reverse = flow(FLOW_REVERSE, VIP, Address::UNSPECIFIED, 8080);
        reverse.partner_port = 40000_u16.to_be_bytes();

        assert_eq!(forward.twin(&there), back);
        assert_eq!(reverse.twin(&back), there);
    }

    #[test]
    fn a_translated_port_and_another_network_are_found_back() {
        let mut there = key(CLIENT, VIP, [40000, 8080]);
        there.scope = FlowKey::scope(SCOPE_HOST, 6);
        let back = key(TASK, CLIENT, [80, 40000]);
        let mut answer = flow(FLOW_REVERSE, VIP, Address::UNSPECIFIED, 8080);
        answer.vni = SCOPE_HOST;

        assert_eq!(
            flow(FLOW_FORWARD, TASK, Address::UNSPECIFIED, 80).twin(&there),
            back
        );
        assert_eq!(answer.twin(&back), there);
    }
}
