//! What a loaded program never changes its mind about.

use crate::{address::Address, shared::shared};

shared! {
    /// The read-only global of the programs, frozen at load so that the verifier removes what is off.
    pub struct Config [56] {
        /// This node's IPv4 data-path address (mapped), or `::`.
        pub local_ipv4: Address,
        /// This node's IPv6 data-path address, or `::`.
        pub local_ipv6: Address,
        /// Index of the collect-metadata vxlan device.
        pub tunnel_ifindex: u32,
        /// One of this many drops of each reason becomes an event; 0 turns events off.
        pub event_sample: u32,
        /// UDP port of VXLAN, host byte order.
        pub port: u16,
        /// First outer source port, host byte order.
        pub source_port_first: u16,
        /// Last outer source port, host byte order.
        pub source_port_last: u16,
        /// 1 if `bpf_skb_adjust_room` knows `DECAP_L3_*` (Linux 6.3), else 0.
        pub decap_l3: u16,
        /// 1 if a socket hook can say why it refuses (Linux 5.18), else 0.
        pub set_retval: u16,
        /// 1 if packets to virtual addresses are balanced, else 0.
        pub packet_lb: u16,
        /// Our part of packets' marks, see [`crate::encryption`].
        pub mark: u32,
    }
}
