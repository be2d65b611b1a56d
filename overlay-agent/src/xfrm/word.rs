//! What two nodes tell each other about the states between them: all of it every time, so that a lost word is
//! made good by the next one.

use serde::{Deserialize, Serialize};

use super::schedule::Round;

/// What this release speaks.
const VERSION: u8 = 1;

/// Longest word, bytes.
const LONGEST: usize = 600;

/// Orders the words of one node, over its restarts too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Stamp {
    /// The run of the agent.
    pub run: u64,
    /// The word in it.
    pub count: u64,
}

/// All that one side of a pair says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Later words have a greater one; an earlier word that comes later counts for nothing.
    pub stamp: Stamp,
    /// Whether the speaker needs the other for an encrypted network of its own.
    pub wants: bool,
    /// What the speaker seals with from now on.
    pub current: Option<Round>,
    /// What it would like to seal with, once it stands at the other.
    pub offered: Option<Round>,
    /// Rounds of the other that stand at the speaker.
    pub standing: Vec<Round>,
    /// The greatest epoch of the other that ever stood there.
    pub highest: u64,
}

impl Word {
    /// As bytes.
    pub fn encoded(&self) -> Vec<u8> {
        let encoded = postcard::to_extend(self, vec![VERSION]);
        encoded.unwrap_or_default()
    }

    /// From bytes; none where they are no word.
    pub fn decoded(bytes: &[u8]) -> Option<Self> {
        let [VERSION, rest @ ..] = bytes else {
            return None;
        };
        if bytes.len() > LONGEST {
            return None;
        }
        let (word, rest) = postcard::take_from_bytes::<Self>(rest).ok()?;
        rest.is_empty().then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xfrm::Epoch;

    #[test]
    fn bytes_are_a_word_or_nothing() {
        let round = |number: u64| Round {
            epoch: Epoch {
                number: u64::MAX - number,
                random: u64::MAX,
            },
            generation: u32::MAX,
        };
        let word = Word {
            stamp: Stamp {
                run: u64::MAX,
                count: u64::MAX,
            },
            wants: true,
            current: Some(round(1)),
            offered: Some(round(2)),
            standing: (0..8).map(round).collect(),
            highest: u64::MAX,
        };

        let bytes = word.encoded();

        assert!(bytes.len() <= LONGEST, "{}", bytes.len());
        assert_eq!(Word::decoded(&bytes), Some(word));
        for length in 0..bytes.len() {
            assert_eq!(Word::decoded(&bytes[..length]), None);
        }
        assert_eq!(Word::decoded(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(Word::decoded(&[0; 601]), None);
    }
}
