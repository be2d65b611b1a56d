//! The right to a directory and to a network namespace: one agent each, and none while it is being
//! uninstalled.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::{DirBuilderExt as _, OpenOptionsExt as _},
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::Path,
};

use super::Error;

/// The lock of a run directory, which the socket's listener takes as well.
pub(super) const RUN_LOCK: &str = "agent.lock";

/// The lock of a data directory; another name, because both may be one directory.
pub(super) const DATA_LOCK: &str = "data.lock";

/// A claimed directory. The kernel lets go of it when the process ends.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: File,
}

impl Claim {
    /// Claims a directory, which is made if it is missing, by the lock of this name.
    pub(super) fn take(directory: &Path, lock: &str) -> Result<Self, Error> {
        let failed = |operation| {
            let path = directory.to_owned();
            move |source| Error::Directory {
                operation,
                path,
                source,
            }
        };
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory);
        made.map_err(failed("make"))?;
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        let lock = options
            .open(directory.join(lock))
            .map_err(failed("open the lock in"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse {
                path: directory.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed("lock")(source)),
        }
    }
}

/// An abstract socket: such names are one network namespace's own, and die with the process.
const NAMESPACE_SOCKET: &[u8] = b"overlay-agent";

/// The claim to the calling thread's network namespace.
#[derive(Debug)]
pub(super) struct NamespaceClaim {
    _socket: UnixDatagram,
}

impl NamespaceClaim {
    /// Claims the namespace.
    pub(super) fn take() -> Result<Self, Error> {
        let bind = || UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(NAMESPACE_SOCKET)?);
        match bind() {
            Ok(socket) => Ok(Self { _socket: socket }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Error::NamespaceInUse),
            Err(source) => Err(Error::NamespaceClaim { source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = Claim::take(directory.path(), DATA_LOCK).unwrap();

        let refused = Claim::take(directory.path(), DATA_LOCK);
        assert!(matches!(refused, Err(Error::InUse { .. })));

        drop(first);
        assert!(Claim::take(directory.path(), DATA_LOCK).is_ok());
    }
}
