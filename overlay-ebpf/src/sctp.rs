//! SCTP's checksum, a `CRC32c` over the whole packet (RFC 9260, 6.8 and appendix A). It is linear: what a new
//! port changes in it follows from the two ports and from how many bytes stand behind them.

/// The polynomial, lowest power first.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What a number of zero bytes does to a remainder. The number is looked up by its four digits in base 16, the
/// remainder by its eight: without a single branch, of which the kernel would follow all combinations.
static ZEROS: [[[[u32; 16]; 8]; 16]; 4] = {
    let mut zeros = [[[[0; 16]; 8]; 16]; 4];
    // One zero byte is the eighth power of x.
    let mut unit = 1 << 23;
    let mut place = 0;
    while place < 4 {
        let mut power = 1 << 31;
        let mut digit = 0;
        while digit < 16 {
            zeros[place][digit] = multiples(power);
            power = product(power, unit);
            digit += 1;
        }
        unit = power;
        place += 1;
    }
    zeros
};

/// The checksum, as it stands on the wire, of a packet in which `new` has taken the place of `old`, with
/// `behind` more bytes behind them.
#[inline(always)]
pub fn corrected(checksum: [u8; 4], old: [u8; 2], new: [u8; 2], behind: u16) -> [u8; 4] {
    let mut remainder = u32::from(u16::from_le_bytes(old) ^ u16::from_le_bytes(new));
    // The ports are not yet divided themselves.
    let bytes = u32::from(behind.wrapping_add(2));
    let mut place = 0;
    while place < 4 {
        let multiples = &ZEROS[place][(bytes >> (4 * place) & 15) as usize];
        let mut sum = 0;
        let mut digit = 0;
        while digit < 8 {
            sum ^= multiples[digit][(remainder >> (4 * digit) & 15) as usize];
            digit += 1;
        }
        remainder = sum;
        place += 1;
    }
    (u32::from_le_bytes(checksum) ^ remainder).to_le_bytes()
}

/// The products of a polynomial with all of one digit.
const fn multiples(power: u32) -> [[u32; 16]; 8] {
    let mut multiples = [[0; 16]; 8];
    let mut shifted = power;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        let (digit, low) = (bit / 4, 1 << (bit % 4));
        let mut value = 0;
        while value < 16 {
            if value & low != 0 {
                multiples[digit][value] ^= shifted;
            }
            value += 1;
        }
        shifted = times_x(shifted);
    }
    multiples
}

/// The product of two polynomials modulo the one of the checksum.
const fn product(one: u32, mut other: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product ^= other & (one >> bit & 1).wrapping_neg();
        other = times_x(other);
    }
    product
}

const fn times_x(polynomial: u32) -> u32 {
    polynomial >> 1 ^ POLYNOMIAL & (polynomial & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bit by bit, as the definition has it.
    fn checksum(bytes: &[u8]) -> [u8; 4] {
        let mut remainder = u32::MAX;
        for byte in bytes {
            remainder ^= u32::from(*byte);
            for _bit in 0..8 {
                remainder = times_x(remainder);
            }
        }
        (!remainder).to_le_bytes()
    }

    #[test]
    fn the_checksum_is_the_one_of_rfc_3720() {
        // B.4 there: 32 bytes of zeros, and the numbers from 0 to 31.
        assert_eq!(checksum(&[0; 32]), [0xaa, 0x36, 0x91, 0x8a]);
        let numbers: Vec<u8> = (0..32).collect();
        assert_eq!(checksum(&numbers), [0x4e, 0x79, 0xdd, 0x46]);
    }

    proptest! {
        #[test]
        fn a_new_port_needs_no_look_at_the_rest(
            mut packet in prop::collection::vec(any::<u8>(), 12..3000),
            is_destination: bool,
            new: [u8; 2],
        ) {
            packet[8..12].fill(0);
            let before = checksum(&packet);
            let at = if is_destination { 2 } else { 0 };
            let old = [packet[at], packet[at + 1]];
            packet[at..at + 2].copy_from_slice(&new);

            let behind = packet.len() - at - 2;
            prop_assert_eq!(corrected(before, old, new, behind as u16), checksum(&packet));
        }
    }
}
