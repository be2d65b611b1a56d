//! The outer source port, which spreads flows over links and receive queues.

/// Picks a port between `first` and `last` from a flow hash as the kernel's `udp_flow_src_port` does
/// (include/net/udp.h), so that a flow takes the same way whether the program or the vxlan device
/// encapsulates it.
#[inline(always)]
pub fn source_port(hash: u32, first: u16, last: u16) -> u16 {
    let hash = u64::from(hash ^ (hash << 16));
    let span = u64::from(last) - u64::from(first);
    (u64::from(first) + ((hash * span) >> 32)) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_port_stays_in_its_range(hash: u32, first in 1024_u16.., width: u16) {
            let last = first.saturating_add(width);

            let port = source_port(hash, first, last);

            prop_assert!((first..=last).contains(&port));
        }
    }

    #[test]
    fn flows_are_spread() {
        let ports: std::collections::BTreeSet<u16> = (0..1000_u32)
            .map(|flow| source_port(flow.wrapping_mul(0x9e37_79b9), 32768, 60999))
            .collect();

        assert!(ports.len() > 950, "{}", ports.len());
    }
}
