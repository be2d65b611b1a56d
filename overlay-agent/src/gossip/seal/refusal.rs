//! Why something that arrived was not let in.

use serde::{Deserialize, Serialize};

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $field:ident $text:literal,)+) => {
        /// Why a datagram or a piece of a stream was refused.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
        pub(crate) enum Refusal {
            $($(#[$doc])* #[error($text)] $variant,)+
        }

        /// How much was refused, by reason.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
        pub struct Refusals {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl Refusals {
            pub(crate) fn count(&mut self, refusal: Refusal) {
                match refusal {
                    $(Refusal::$variant => self.$field += 1,)+
                }
            }

            /// Every reason by its name.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($field), self.$field)),+].into_iter()
            }

            /// All reasons together.
            pub fn total(&self) -> u64 {
                self.named().map(|(_reason, times)| times).sum()
            }
        }
    };
}

refusals! {
    /// Too short, or of another version of the format.
    Garbage garbage "no message of this format",
    /// Longer than anything a node sends.
    TooBig too_big "longer than any message",
    /// Signed with this node's own identifier.
    Reflected reflected "claims to come from this very node",
    /// A stream opened to another node.
    Misdirected misdirected "meant for another node",
    /// From a node that is no member.
    UnknownSender unknown_sender "its sender is no member of the cluster",
    /// Sealed under a generation of the secret that is not accepted.
    UnknownKey unknown_key "sealed with a key that is not in the ring",
    /// From an earlier run of its sender.
    OldEpoch old_epoch "from an earlier run of its sender",
    /// Seen before, or so late that nobody knows.
    Replay replay "seen before",
    /// Not sealed by a holder of the secret, or changed on the way.
    BadTag bad_tag "its seal is broken",
}
