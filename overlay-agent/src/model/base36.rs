//! Numbers in base 36, as identifiers and tokens have them: big-endian, a fixed number of digits, small letters.

use zeroize::Zeroizing;

pub(super) const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// What is wrong with a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Wrong {
    /// It has this many digits, which is too few.
    Short(usize),
    /// It has this many characters, which is too many.
    Long(usize),
    /// This is no digit. The position counts from 1.
    Digit { position: usize, found: char },
    /// The number does not fit.
    TooGreat,
}

/// The number in `digits` digits. What does not fit is cut off at the front.
pub(crate) fn encode(mut number: Zeroizing<Vec<u8>>, digits: usize) -> Zeroizing<String> {
    let mut reversed = Zeroizing::new(Vec::with_capacity(digits));
    for _place in 0..digits {
        let mut remainder = 0u16;
        for byte in number.iter_mut() {
            let value = remainder << 8 | u16::from(*byte);
            *byte = (value / 36) as u8;
            remainder = value % 36;
        }
        reversed.push(DIGITS[usize::from(remainder)]);
    }
    let mut text = Zeroizing::new(String::with_capacity(digits));
    text.extend(reversed.iter().rev().copied().map(char::from));
    text
}

/// The number that `text` shows in exactly `digits` digits.
pub(crate) fn decode<const BYTES: usize>(
    text: &str,
    digits: usize,
) -> Result<Zeroizing<[u8; BYTES]>, Wrong> {
    let wrong_digit = |found: char| !found.is_ascii_digit() && !found.is_ascii_lowercase();
    let mut places = text.chars().zip(1..);
    if let Some((found, position)) = places.find(|(found, _position)| wrong_digit(*found)) {
        return Err(Wrong::Digit { position, found });
    }
    if text.len() < digits {
        return Err(Wrong::Short(text.len()));
    }
    if text.len() > digits {
        return Err(Wrong::Long(text.len()));
    }
    let mut number = Zeroizing::new([0; BYTES]);
    for digit in text.bytes() {
        let mut carry = u16::from(match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit - b'a' + 10,
        });
        for byte in number.iter_mut().rev() {
            let value = u16::from(*byte) * 36 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry != 0 {
            return Err(Wrong::TooGreat);
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_greatest_numbers_fit_and_the_next_do_not() {
        let greatest = encode(Zeroizing::new(vec![0xff; 32]), 50);

        assert_eq!(decode::<32>(&greatest, 50).unwrap()[..], [0xff; 32]);
        assert_eq!(decode::<32>(&"z".repeat(50), 50), Err(Wrong::TooGreat));
        assert_eq!(decode::<16>(&"z".repeat(25), 25), Err(Wrong::TooGreat));
        assert_eq!(*encode(Zeroizing::new(vec![0, 36]), 3), "010");
    }

    #[test]
    fn a_wrong_digit_is_found() {
        let found = |text| decode::<16>(text, 25).unwrap_err();

        assert_eq!(
            found("0A"),
            Wrong::Digit {
                position: 2,
                found: 'A'
            }
        );
        assert_eq!(
            found("é"),
            Wrong::Digit {
                position: 1,
                found: 'é'
            }
        );
        assert_eq!(found(""), Wrong::Short(0));
        assert_eq!(found(&"0".repeat(26)), Wrong::Long(26));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(number: [u8; 32]) {
            let text = encode(Zeroizing::new(number.to_vec()), 50);

            prop_assert_eq!(text.len(), 50);
            prop_assert_eq!(*decode::<32>(&text, 50).unwrap(), number);
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let read = decode::<16>(&text, 25);

            prop_assert!(read.is_err() || text.len() == 25);
        }
    }
}
