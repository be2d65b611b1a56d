//! Why the kernel's network configuration could not be read or changed.

use std::io;

use netlink_packet_core::DecodeError;
use nix::libc;

/// A request that failed. Nothing was changed unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused the request, or the socket failed.
    #[error("could not {operation} {object}{}{}", in_brackets(.remark.as_deref()), way_out(.source))]
    Refused {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// What it was attempted on.
        object: String,
        /// The kernel's own words, where it offers any.
        remark: Option<String>,
        /// The kernel's error number.
        source: io::Error,
    },
    /// The kernel's answer is not what its interface promises.
    #[error("could not {operation} {object}: the kernel's answer cannot be decoded")]
    Malformed {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// What it was attempted on.
        object: String,
        /// What is wrong with the answer.
        source: DecodeError,
    },
    /// The table kept changing while it was listed; trying again later may succeed.
    #[error("could not {operation} {object}: it kept changing meanwhile; try again")]
    Inconsistent {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// What it was attempted on.
        object: String,
    },
    /// No interface can have this name.
    #[error(
        "`{name}` cannot name an interface: a name has 1 to 15 bytes, is not `.` or `..`, and has no \
         white space, `/`, `:` or `%`"
    )]
    InvalidName {
        /// The name as given.
        name: String,
    },
    /// The key is not a relative path below `/proc/sys/net`.
    #[error("`{key}` is not a network sysctl; write it like ipv4/ip_local_port_range")]
    InvalidSysctl {
        /// The key as given.
        key: String,
    },
    /// The file exists but is not a network namespace.
    #[error(
        "{namespace} is not a network namespace; give a file like /run/netns/NAME or /proc/PID/ns/net"
    )]
    NotANamespace {
        /// The path as given.
        namespace: String,
    },
}

impl Error {
    /// Whether the object does not exist: a link, address, route, neighbour, filter, namespace or
    /// sysctl that is gone.
    pub fn is_not_found(&self) -> bool {
        self.errno().is_some_and(|errno| {
            [
                libc::ENODEV,
                libc::ENOENT,
                libc::ESRCH,
                libc::ENXIO,
                libc::EADDRNOTAVAIL,
            ]
            .contains(&errno)
        })
    }

    /// Whether the object exists already, or its name is taken.
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }

    /// Whether this kernel was built without what was asked for.
    pub fn is_unsupported(&self) -> bool {
        self.errno() == Some(libc::EOPNOTSUPP)
    }

    /// The kernel's error number, if it gave one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => source.raw_os_error(),
            Self::Malformed { .. }
            | Self::Inconsistent { .. }
            | Self::InvalidName { .. }
            | Self::InvalidSysctl { .. }
            | Self::NotANamespace { .. } => None,
        }
    }
}

fn in_brackets(text: Option<&str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

fn way_out(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "; it takes root, or CAP_NET_ADMIN and CAP_SYS_ADMIN",
        _ => "",
    }
}

/// A failure below the verbs, which do not know yet what it was about.
#[derive(Debug)]
pub(super) enum Failure {
    Refused {
        remark: Option<String>,
        source: io::Error,
    },
    Malformed(DecodeError),
    Inconsistent,
}

impl Failure {
    pub(super) fn during(self, operation: &'static str, object: impl Into<String>) -> Error {
        let object = object.into();
        match self {
            Self::Refused { remark, source } => Error::Refused {
                operation,
                object,
                remark,
                source,
            },
            Self::Malformed(source) => Error::Malformed {
                operation,
                object,
                source,
            },
            Self::Inconsistent => Error::Inconsistent { operation, object },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self::Refused {
            remark: None,
            source,
        }
    }
}

impl From<nix::Error> for Failure {
    fn from(errno: nix::Error) -> Self {
        io::Error::from(errno).into()
    }
}

impl From<DecodeError> for Failure {
    fn from(source: DecodeError) -> Self {
        Self::Malformed(source)
    }
}
