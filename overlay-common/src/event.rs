//! One sampled drop, as the ring buffer carries it.

use crate::{address::Address, shared::shared};

shared! {
    /// A record of the ring buffer.
    pub struct Event [64] {
        /// `bpf_ktime_get_boot_ns`: nanoseconds since boot, sleep included.
        pub boot_ns: u64,
        /// Inner (else outer) source, or `::` if it was not reached.
        pub source: Address,
        /// Inner (else outer) destination, or `::`.
        pub destination: Address,
        /// A [`crate::reason::Reason`] by number.
        pub reason: u32,
        /// A [`Place`] by number.
        pub place: u32,
        /// Where the packet came in.
        pub ifindex: u32,
        /// VXLAN network identifier, or 0.
        pub vni: u32,
        /// Length of the packet, bytes.
        pub length: u32,
        /// How many packets this one stands for.
        pub sample: u32,
    }
}

/// Which program dropped it.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// `from_container`
    FromContainer = 1,
    /// `from_underlay`
    FromUnderlay = 2,
    /// `from_tunnel`
    FromTunnel = 3,
    /// `from_host`
    FromHost = 4,
    /// `to_underlay`
    ToUnderlay = 5,
}

impl Place {
    /// The program's name for a number, or `unknown`.
    pub fn label(number: u32) -> &'static str {
        use crate::abi::program;
        match number {
            1 => program::FROM_CONTAINER,
            2 => program::FROM_UNDERLAY,
            3 => program::FROM_TUNNEL,
            4 => program::FROM_HOST,
            5 => program::TO_UNDERLAY,
            _ => "unknown",
        }
    }
}
