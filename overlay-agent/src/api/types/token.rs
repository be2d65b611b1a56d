//! What lets a node into a cluster.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// A join token as it is typed, `SWMTKN-1-…`, not yet checked. It is a secret: `Debug` leaves it out,
/// and there is no `Display`.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JoinToken(String);

impl JoinToken {
    /// A token of this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever checks it or was asked to show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for JoinToken {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(…)")
    }
}

impl Drop for JoinToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_told_by_accident() {
        let token = JoinToken::new("SWMTKN-1-secret".to_owned());

        assert_eq!(format!("{token:?}"), "JoinToken(…)");
        assert_eq!(token.reveal(), "SWMTKN-1-secret");
    }
}
