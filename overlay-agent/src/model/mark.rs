//! The part of packets' marks by which those of encrypted networks are told.

use serde::{Deserialize, Serialize};

use super::PeerId;

/// Our part of a packet's mark. Alone it asks for encryption; with a peer's number it says who encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EncryptionMark(u32);

impl EncryptionMark {
    /// The bits that are ours.
    pub const MASK: u32 = 0xff00_0000;

    /// A part in which nothing else is set, and something is.
    pub fn new(part: u32) -> Option<Self> {
        (part != 0 && part & !Self::MASK == 0).then_some(Self(part))
    }

    /// The mark of a packet that is to be encrypted.
    pub fn outbound(self) -> u32 {
        self.0
    }

    /// The mark of a packet that this peer encrypted.
    pub fn inbound(self, PeerId(number): PeerId) -> u32 {
        self.0 | number & !Self::MASK
    }
}

impl Default for EncryptionMark {
    fn default() -> Self {
        Self(0xe500_0000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upper_byte_is_ours() {
        assert_eq!(EncryptionMark::new(0), None);
        assert_eq!(EncryptionMark::new(0xe500_0001), None);
        let mark = EncryptionMark::new(0x1200_0000).unwrap();

        assert_eq!(mark.outbound(), 0x1200_0000);
        assert_eq!(mark.inbound(PeerId(7)), 0x1200_0007);
    }
}
