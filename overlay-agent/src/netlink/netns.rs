//! Network namespaces: finding them, telling them apart, running code inside.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::{
            fs::{MetadataExt, OpenOptionsExt},
            net::UnixDatagram,
        },
    },
    panic,
    path::Path,
    thread,
};

use netlink_packet_core::{DecodeError, parse_i32};
use netlink_packet_route::{
    RouteNetlinkMessage,
    nsid::{NsidAttribute, NsidMessage},
};
use nix::{
    libc,
    sched::{CloneFlags, setns, unshare},
    sys::{
        socket::{getsockopt, sockopt},
        statfs::{NSFS_MAGIC, fstatfs},
    },
};

use super::{Error, Socket, error::Failure, message::attributes};
use crate::model::NamespaceId;

/// The calling thread's own namespace, which `/proc/self` would not show.
const CURRENT: &str = "/proc/thread-self/ns/net";

/// The cookie of a socket's network namespace.
#[derive(Clone, Copy, Debug)]
struct NetnsCookie;

nix::getsockopt_impl!(
    NetnsCookie,
    libc::SOL_SOCKET,
    libc::SO_NETNS_COOKIE,
    u64,
    sockopt::GetStruct<u64>
);

const NETNS_HEADER_LENGTH: usize = 4;
const NETNSA_NSID: u16 = 1;

/// An open network namespace.
///
/// While a handle is open the namespace lives, with all interfaces in it, even after its last process
/// has ended and its name is gone. So hold one of a container for as long as a task takes, not longer.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    name: String,
    id: NamespaceId,
}

impl Namespace {
    /// Opens the namespace behind a file like `/run/netns/NAME` or `/proc/PID/ns/net`.
    ///
    /// Fails with [`Error::NotANamespace`] if the file is anything else, and with an error that
    /// [is not found](Error::is_not_found) if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let namespace = Self::from_file(path, path.display().to_string())?;
        match namespace.run(|| ()) {
            // A namespace of another kind, such as a mount namespace.
            Err(error) if error.errno() == Some(libc::EINVAL) => Err(Error::NotANamespace {
                namespace: namespace.name,
            }),
            result => result.map(|()| namespace),
        }
    }

    /// Finds a namespace again: by the path that led to it, else by a process in it. `None` if it is gone, or
    /// nobody and nothing that can be seen leads there.
    pub fn find(path: &Path, id: NamespaceId) -> Result<Option<Self>, Error> {
        let is_same =
            |metadata: Metadata| metadata.dev() == id.device && metadata.ino() == id.inode;
        let leads_there = |path: &Path| fs::metadata(path).is_ok_and(is_same);
        let by_process = || {
            let processes = fs::read_dir("/proc").ok()?.flatten();
            let mut namespaces = processes.map(|process| process.path().join("ns/net"));
            namespaces.find(|path| leads_there(path))
        };
        let known = leads_there(path).then(|| path.to_owned());
        let Some(path) = known.or_else(by_process) else {
            return Ok(None);
        };
        match Self::from_file(&path, path.display().to_string()) {
            Ok(namespace) if namespace.id == id => Ok(Some(namespace)),
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// The calling thread's namespace.
    pub fn current() -> Result<Self, Error> {
        Self::from_file(
            Path::new(CURRENT),
            "the current network namespace".to_owned(),
        )
    }

    /// Makes a namespace that has no name and lives as long as the handle or a process in it.
    pub fn create() -> Result<Self, Error> {
        let name = "a new network namespace";
        on_thread(
            || unshare(CloneFlags::CLONE_NEWNET),
            || Self::from_file(Path::new(CURRENT), name.to_owned()),
        )
        .map_err(|failure| failure.during("make", name))?
    }

    fn from_file(path: &Path, name: String) -> Result<Self, Error> {
        let open = || -> Result<_, Failure> {
            // Nothing is read from it: with the flag a pipe by that name cannot block the agent.
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(path)?;
            let metadata = file.metadata()?;
            let id = NamespaceId {
                device: metadata.dev(),
                inode: metadata.ino(),
            };
            Ok((fstatfs(&file)?.filesystem_type() == NSFS_MAGIC, file, id))
        };
        let (is_namespace, file, id) =
            open().map_err(|failure| failure.during("open network namespace", name.clone()))?;
        if !is_namespace {
            return Err(Error::NotANamespace { namespace: name });
        }
        Ok(Self { file, name, id })
    }

    /// What tells it from every other namespace that lives at the same time.
    pub fn id(&self) -> NamespaceId {
        self.id
    }

    /// The path it was opened by, or a description.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By what the programs at sockets know it; since Linux 5.14. Never given to another namespace while
    /// the machine runs.
    pub fn cookie(&self) -> Result<u64, Error> {
        let read = || -> Result<u64, Failure> {
            let socket = UnixDatagram::unbound()?;
            Ok(getsockopt(&socket, NetnsCookie)?)
        };
        self.run(read)?
            .map_err(|failure| failure.during("read the cookie of", self.name.clone()))
    }

    /// Runs `task` inside, on a thread of its own, so that the caller never leaves its namespace.
    /// Sockets and files that `task` opens keep working outside. A panic of `task` is the caller's.
    ///
    /// Fails without running `task` if the namespace cannot be entered.
    pub fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_thread(|| setns(&self.file, CloneFlags::CLONE_NEWNET), task)
            .map_err(|failure| failure.during("enter network namespace", self.name.clone()))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Socket {
    /// The number by which this socket's namespace knows another one: links tell with it where
    /// their peer is. `None` while it has no number, which means that no link leads there.
    pub fn namespace_id(&mut self, namespace: &Namespace) -> Result<Option<i32>, Error> {
        let mut message = NsidMessage::default();
        let fd = namespace.as_fd().as_raw_fd().cast_unsigned();
        message.attributes.push(NsidAttribute::Fd(fd));
        self.get(RouteNetlinkMessage::GetNsId(message), decode_nsid)
            .map_err(|failure| {
                failure.during("find the number of network namespace", namespace.name())
            })
    }
}

fn decode_nsid(payload: &[u8]) -> Result<Option<i32>, DecodeError> {
    for attribute in attributes(payload, NETNS_HEADER_LENGTH) {
        let (kind, value) = attribute?;
        if kind == NETNSA_NSID {
            return parse_i32(value).map(|id| (id >= 0).then_some(id));
        }
    }
    Ok(None)
}

/// Runs `task` on a thread that has moved elsewhere.
fn on_thread<T: Send>(
    move_there: impl FnOnce() -> nix::Result<()> + Send,
    task: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, || {
                move_there()?;
                Ok(task())
            })?;
        thread
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, process::Command};

    use super::*;
    use crate::netlink::testing::{namespace, pair};

    /// A name under /run/netns that goes with the test.
    struct Named(String);

    impl Named {
        fn add(suffix: &str) -> Self {
            let name = format!("ovnl{}{suffix}", std::process::id());
            let status = Command::new("ip")
                .args(["netns", "add", &name])
                .status()
                .unwrap();
            assert!(status.success());
            Self(name)
        }

        fn path(&self) -> String {
            format!("/run/netns/{}", self.0)
        }
    }

    impl Drop for Named {
        fn drop(&mut self) {
            let status = Command::new("ip").args(["netns", "del", &self.0]).status();
            assert!(status.is_ok_and(|status| status.success()));
        }
    }

    #[test]
    fn a_namespace_is_itself_by_whatever_path_it_is_opened() {
        let named = Named::add("a");
        let namespace = Namespace::open(named.path()).unwrap();
        let again = Namespace::open(named.path()).unwrap();

        let inside = namespace
            .run(|| Namespace::current().unwrap().id())
            .unwrap();

        assert_eq!(namespace.id(), again.id());
        assert_eq!(namespace.id(), inside);
        assert_ne!(namespace.id(), Namespace::current().unwrap().id());
        assert_eq!(namespace.name(), named.path());
    }

    #[test]
    fn every_namespace_has_a_cookie_of_its_own() {
        let (one, _) = namespace();
        let (other, _) = namespace();

        let cookie = one.cookie().unwrap();

        assert_eq!(one.cookie().unwrap(), cookie);
        assert_ne!(other.cookie().unwrap(), cookie);
        assert_ne!(Namespace::current().unwrap().cookie().unwrap(), cookie);
    }

    #[test]
    fn what_is_no_network_namespace_is_refused_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();

        for path in [
            &file,
            &pipe,
            directory.path(),
            Path::new("/proc/self/ns/mnt"),
        ] {
            let error = Namespace::open(path).unwrap_err();
            assert!(matches!(error, Error::NotANamespace { .. }), "{error:?}");
            assert!(
                error.to_string().starts_with(&path.display().to_string()),
                "{error}"
            );
        }

        let error = Namespace::open("/run/netns/ovnl-none").unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
        assert_eq!(
            error.to_string(),
            "could not open network namespace /run/netns/ovnl-none"
        );
    }

    #[test]
    fn what_was_opened_inside_works_outside_and_the_caller_stays() {
        let before = Namespace::current().unwrap().id();
        let (namespace, mut socket) = namespace();
        let loopback = socket.link_by_name("lo").unwrap();
        socket.set_up(loopback.ifindex).unwrap();

        let udp = namespace
            .run(|| UdpSocket::bind("127.0.0.1:4242").unwrap())
            .unwrap();
        udp.send_to(b"hello", "127.0.0.1:4242").unwrap();
        let mut buffer = [0; 5];
        udp.recv(&mut buffer).unwrap();

        assert_eq!(&buffer, b"hello");
        assert_eq!(socket.links().unwrap().len(), 1);
        assert_eq!(Namespace::current().unwrap().id(), before);
    }

    #[test]
    fn a_panic_inside_is_the_callers() {
        let (namespace, _socket) = namespace();
        let before = Namespace::current().unwrap().id();

        let panic = panic::catch_unwind(|| namespace.run(|| panic!("inside"))).unwrap_err();

        assert_eq!(panic.downcast_ref::<&str>(), Some(&"inside"));
        assert_eq!(Namespace::current().unwrap().id(), before);
        assert_eq!(namespace.run(|| 7).unwrap(), 7);
    }

    #[test]
    fn a_link_tells_in_which_namespace_its_peer_is() {
        let [mut left, right] = pair();
        let (elsewhere, _socket) = namespace();

        let number = left.socket.namespace_id(&right.namespace).unwrap();

        assert!(number.is_some());
        assert_eq!(left.link.peer_namespace_id, number);
        assert_eq!(left.link.peer_ifindex, Some(right.link.ifindex));
        assert_eq!(left.socket.namespace_id(&elsewhere).unwrap(), None);
    }
}
