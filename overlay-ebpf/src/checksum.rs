//! The Internet checksum (RFC 1071): a ones' complement sum of 16-bit big-endian words.

use overlay_common::address::Address;

/// A sum being made. Words are added in network byte order; the carry is folded at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checksum(u32);

impl Checksum {
    /// Adds an even number of bytes.
    #[inline(always)]
    #[must_use]
    pub fn over(mut self, bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(2);
        for word in &mut words {
            self.0 += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
        self
    }

    /// Adds one word given in host byte order.
    #[inline(always)]
    #[must_use]
    pub fn add_word(mut self, word: u16) -> Self {
        self.0 += u32::from(word);
        self
    }

    /// The checksum, in host byte order: the complement of the folded sum.
    #[inline(always)]
    pub fn finish(self) -> u16 {
        let once = (self.0 & 0xffff) + (self.0 >> 16);
        let twice = (once & 0xffff) + (once >> 16);
        !(twice as u16)
    }
}

/// What a sum grows by when `old` becomes `new`, as the kernel's helpers take it: a ones' complement sum of
/// words as they stand in memory (RFC 1071, 2(B): the order of bytes does not matter).
#[inline(always)]
pub fn difference(old: &Address, new: &Address) -> u32 {
    let halves = |word: u64| (word & 0xffff_ffff) + (word >> 32);
    let [old_first, old_second] = old.words;
    let [new_first, new_second] = new.words;
    let sum = halves(!old_first) + halves(!old_second) + halves(new_first) + halves(new_second);
    let once = (sum & 0xffff_ffff) + (sum >> 32);
    let twice = (once & 0xffff_ffff) + (once >> 32);
    twice as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_rfc_1071_gives_its_sum() {
        let sum = Checksum::default().over(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);

        assert_eq!(sum.finish(), !0xddf2);
    }

    proptest! {
        #[test]
        fn a_message_with_its_checksum_sums_to_zero(mut bytes in prop::collection::vec(any::<u8>(), 20..=60)) {
            bytes.truncate(bytes.len() / 2 * 2);
            bytes[10..12].fill(0);

            let checksum = Checksum::default().over(&bytes).finish();
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());

            prop_assert_eq!(Checksum::default().over(&bytes).finish(), 0);
        }
    }

    /// What `csum_replace_by_diff` of the kernel makes of a checksum.
    fn replaced(sum: [u8; 2], difference: u32) -> [u8; 2] {
        let sum = u64::from(!u16::from_ne_bytes(sum)) + u64::from(difference);
        let once = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
        let twice = (once & 0xffff) + (once >> 16);
        let thrice = (twice & 0xffff) + (twice >> 16);
        (!(thrice as u16)).to_ne_bytes()
    }

    proptest! {
        #[test]
        fn a_difference_keeps_a_checksum_true(old: [u8; 16], new: [u8; 16], rest: [u8; 6]) {
            let message = |address: &[u8; 16]| [&address[..], &rest].concat();
            let before = Checksum::default().over(&message(&old)).finish().to_be_bytes();

            let grown = difference(&Address::from_v6(old), &Address::from_v6(new));
            let after = u16::from_be_bytes(replaced(before, grown));

            let whole = Checksum::default().over(&message(&new)).add_word(after).finish();
            prop_assert_eq!(whole, 0);
        }
    }
}
