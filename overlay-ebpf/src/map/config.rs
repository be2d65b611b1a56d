//! The read-only settings that the agent gives at load.

use overlay_common::{address::Address, config::Config};

/// Overwritten by the agent before the program is loaded; the verifier then knows the values.
#[unsafe(no_mangle)]
static CONFIG: Config = Config {
    local_ipv4: Address::UNSPECIFIED,
    local_ipv6: Address::UNSPECIFIED,
    tunnel_ifindex: 0,
    event_sample: 0,
    port: 0,
    source_port_first: 0,
    source_port_last: 0,
    decap_l3: 0,
    mark: 0,
    set_retval: 0,
    packet_lb: 0,
};

/// Declares a reader for each field. Volatile: the compiler must not believe the zeros above.
macro_rules! settings {
    ($( $(#[$meta:meta])* $field:ident : $type:ty; )+) => {$(
        $(#[$meta])*
        #[inline(always)]
        pub(crate) fn $field() -> $type {
            // SAFETY: a valid, aligned, initialised field of a static.
            unsafe { core::ptr::read_volatile(&raw const CONFIG.$field) }
        }
    )+};
}

settings! {
    /// This node's IPv4 data-path address.
    local_ipv4: Address;
    /// This node's IPv6 data-path address.
    local_ipv6: Address;
    /// The collect-metadata vxlan device.
    tunnel_ifindex: u32;
    /// One of this many drops of a reason becomes an event; 0: none.
    event_sample: u32;
    /// UDP port of VXLAN.
    port: u16;
    /// First outer source port.
    source_port_first: u16;
    /// Last outer source port.
    source_port_last: u16;
    /// Whether the kernel can decapsulate one family in the other.
    decap_l3: u16;
    /// Our part of packets' marks.
    mark: u32;
    /// Whether a socket hook can say why it refuses.
    set_retval: u16;
    /// Whether packets to virtual addresses are balanced.
    packet_lb: u16;
}
