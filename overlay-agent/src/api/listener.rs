//! The agent's socket: one agent for a run directory, root alone may connect.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _},
            net::{self, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use nix::sys::{
    socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr},
    stat::{Mode, fchmod},
};
use tokio::net::UnixListener;

use super::socket_path;

/// The socket, bound. It disappears when this is dropped.
#[derive(Debug)]
pub struct Listener {
    pub(super) inner: UnixListener,
    pub(super) claim: Claim,
}

/// The right to the socket's name.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    /// The kernel lets go of it when the process dies.
    _lock: File,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The run directory cannot be made.
    #[error("create the run directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The lock file cannot be opened or locked.
    #[error("lock {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another agent has this run directory.
    #[error(
        "another agent already answers on {}; stop it, or give this one its own --run-dir and \
         --data-dir", path.display()
    )]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the socket's name.
    #[error("{} is there and is no socket; move it away, or use another --run-dir", path.display())]
    NotASocket {
        /// The socket's path.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("listen on {} (a socket's path has at most 107 bytes)", path.display())]
    Bind {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Listener {
    /// Binds the socket of a run directory, which is made if it is missing. A socket that a dead agent
    /// left is replaced.
    ///
    /// # Errors
    /// Nothing of another agent was touched.
    pub fn bind(run_dir: &Path) -> Result<Self, ListenError> {
        make_directory(run_dir)?;
        let path = socket_path(run_dir);
        let lock = lock(run_dir, &path)?;
        remove_stale(&path)?;
        let bound = bind_for_owner(&path);
        match bound {
            Ok(inner) => Ok(Self {
                inner,
                claim: Claim { path, _lock: lock },
            }),
            Err(source) => Err(ListenError::Bind { path, source }),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            tracing::debug!(%error, %path, "the socket could not be removed");
        }
    }
}

/// The permissions must be the socket's before it has a name: Linux gives the name those of the
/// descriptor.
fn bind_for_owner(path: &Path) -> io::Result<UnixListener> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    socket::listen(&socket, Backlog::MAXCONN)?;
    UnixListener::from_std(net::UnixListener::from(socket))
}

fn make_directory(run_dir: &Path) -> Result<(), ListenError> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(run_dir);
    made.map_err(|source| ListenError::Directory {
        path: run_dir.to_owned(),
        source,
    })
}

fn lock(run_dir: &Path, socket: &Path) -> Result<File, ListenError> {
    let path = run_dir.join("agent.lock");
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let file = match options.open(&path) {
        Ok(file) => file,
        Err(source) => return Err(ListenError::Lock { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ListenError::InUse {
            path: socket.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(ListenError::Lock { path, source }),
    }
}

fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let path_owned = || path.to_owned();
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(ListenError::NotASocket { path: path_owned() })
        }
        // Whoever answers has it, lock or no lock.
        Ok(_) if UnixStream::connect(path).is_ok() => {
            Err(ListenError::InUse { path: path_owned() })
        }
        Ok(_) => fs::remove_file(path).map_err(|source| ListenError::Bind {
            path: path_owned(),
            source,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ListenError::Bind {
            path: path_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn only_the_owner_may_connect() {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = directory.path().join("run/overlay");

        let _listener = Listener::bind(&run_dir).unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&run_dir), 0o700);
        assert_eq!(mode(&socket_path(&run_dir)), 0o600);
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_ours_goes_with_us() {
        let directory = tempfile::tempdir().unwrap();
        let path = socket_path(directory.path());
        drop(net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());

        let listener = Listener::bind(directory.path()).unwrap();

        assert!(UnixStream::connect(&path).is_ok());
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_live_agent_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Listener::bind(directory.path()).unwrap();

        let error = Listener::bind(directory.path()).unwrap_err();

        assert!(matches!(error, ListenError::InUse { .. }), "{error}");
        assert!(UnixStream::connect(socket_path(directory.path())).is_ok());
    }

    #[tokio::test]
    async fn a_live_stranger_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = socket_path(directory.path());
        let _stranger = net::UnixListener::bind(&path).unwrap();

        let error = Listener::bind(directory.path()).unwrap_err();

        let told = format!(
            "another agent already answers on {}; stop it, or give this one its own --run-dir and \
             --data-dir",
            path.display()
        );
        assert_eq!(error.to_string(), told);
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = socket_path(directory.path());
        fs::write(&path, "mine").unwrap();

        let error = Listener::bind(directory.path()).unwrap_err();

        assert!(matches!(error, ListenError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn a_path_too_long_is_explained() {
        let directory = tempfile::tempdir().unwrap();

        let error = Listener::bind(&directory.path().join("x".repeat(120))).unwrap_err();

        assert!(
            error
                .to_string()
                .ends_with("(a socket's path has at most 107 bytes)")
        );
    }
}
