//! One line of `overlay doctor`.

use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckVerdict {
    /// As it should be.
    Ok,
    /// Works, but costs something.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at, a few words.
    pub name: String,
    /// How it ended.
    pub verdict: CheckVerdict,
    /// What was seen.
    pub detail: String,
    /// The way out, unless it is `Ok`.
    pub remedy: Option<String>,
}
