//! Explicit congestion notification across a tunnel (RFC 6040).

/// The ECN bits of a traffic class.
const MASK: u8 = 0b11;
/// Congestion experienced.
const CE: u8 = 0b11;
/// ECN-capable transport, codepoint 0.
const ECT_0: u8 = 0b10;
/// Not ECN-capable.
const NOT_ECT: u8 = 0b00;

/// The outer traffic class for an inner one, as the kernel's `INET_ECN_encapsulate` makes it: no DSCP,
/// the inner ECN bits, and ECT(0) instead of CE (the congestion is already recorded inside).
#[inline(always)]
pub fn encapsulate(inner: u8) -> u8 {
    if inner & MASK == CE {
        ECT_0
    } else {
        inner & MASK
    }
}

/// What arriving does to the inner packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// Nothing to do.
    Keep,
    /// The underlay marked congestion: the inner packet must say so.
    MarkCongestion,
    /// The underlay marked congestion and the inner packet cannot say so: it must be lost.
    Drop,
}

/// Combines both traffic classes as the kernel's `INET_ECN_decapsulate` does.
#[inline(always)]
pub fn decapsulate(outer: u8, inner: u8) -> Arrival {
    match (outer & MASK, inner & MASK) {
        (CE, NOT_ECT) => Arrival::Drop,
        (CE, CE) => Arrival::Keep,
        (CE, _) => Arrival::MarkCongestion,
        _ => Arrival::Keep,
    }
}

/// A traffic class with congestion marked.
#[inline(always)]
pub fn marked(class: u8) -> u8 {
    class | CE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn congestion_inside_is_not_repeated_outside_and_dscp_stays_inside() {
        assert_eq!(encapsulate(0b1011_1011), ECT_0);
        assert_eq!(encapsulate(0b1011_1001), 0b01);
        assert_eq!(encapsulate(0b1011_1000), NOT_ECT);
    }

    #[test]
    fn congestion_outside_reaches_the_receiver_or_costs_the_packet() {
        assert_eq!(decapsulate(CE, NOT_ECT), Arrival::Drop);
        assert_eq!(decapsulate(CE, 0b01), Arrival::MarkCongestion);
        assert_eq!(decapsulate(CE, ECT_0), Arrival::MarkCongestion);
        assert_eq!(decapsulate(CE, CE), Arrival::Keep);
        for inner in 0..4 {
            assert_eq!(decapsulate(ECT_0, inner), Arrival::Keep);
            assert_eq!(decapsulate(NOT_ECT, inner), Arrival::Keep);
        }
    }
}
