//! How much the fuzz tests of all modules try: little, or as much as `OVERLAY_FUZZ_TRIES` says.

use rand::{RngExt as _, rngs::SmallRng};

/// Names the number of forgeries that all fuzz tests together try.
const TRIES: &str = "OVERLAY_FUZZ_TRIES";

/// Seconds in an unoptimised build.
const FEW: u64 = 200_000;

/// So many thousandths of all tries.
pub(crate) fn tries(thousandths: u64) -> u32 {
    let all = std::env::var(TRIES).map_or(FEW, |text| {
        text.parse()
            .unwrap_or_else(|_error| panic!("{TRIES}={text} is no number"))
    });
    let tries = (all * thousandths).div_ceil(1000);
    u32::try_from(tries).unwrap_or(u32::MAX)
}

/// Cuts, lengthens, replaces or flips bytes so that they differ from what they were.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut SmallRng) {
    let before = bytes.clone();
    while *bytes == before {
        match random.random_range(0..8) {
            0 => bytes.truncate(random.random_range(0..=before.len())),
            1 => bytes.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>())),
            2 => {
                *bytes = (0..random.random_range(0..120))
                    .map(|_| random.random())
                    .collect();
            }
            _ => {
                for _ in 0..random.random_range(1..4) {
                    if !bytes.is_empty() {
                        let at = random.random_range(0..bytes.len());
                        bytes[at] ^= 1 << random.random_range(0..8);
                    }
                }
            }
        }
    }
}
