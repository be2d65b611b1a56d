//! Why the kernel's xfrm could not be read or changed.

use std::io;

use netlink_packet_core::DecodeError;
use nix::libc;

/// A request that failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused the request, or the socket failed.
    #[error("could not {operation}{}", in_brackets(.remark.as_deref()))]
    Refused {
        /// What was attempted, as a verb phrase.
        operation: String,
        /// The kernel's own words, where it offers any.
        remark: Option<String>,
        /// The kernel's error number.
        source: io::Error,
    },
    /// The kernel's answer is not what its interface promises.
    #[error("could not {operation}: the kernel's answer cannot be decoded")]
    Malformed {
        /// What was attempted, as a verb phrase.
        operation: String,
        /// What is wrong with the answer.
        source: DecodeError,
    },
}

impl Error {
    /// Whether there is such an object already.
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }

    /// Whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self.errno(), Some(libc::ESRCH | libc::ENOENT))
    }

    fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => source.raw_os_error(),
            Self::Malformed { .. } => None,
        }
    }
}

fn in_brackets(text: Option<&str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}
