//! Ending sockets whose task is gone. A socket that was led to a task has no flow that could be cut, and one
//! whose packets are balanced learns of their end only when it sends; both would hang otherwise.
//!
//! Input: [`Ending`]s, until the data plane ends. Output: none; what cannot be ended is told to the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use tokio::{runtime::Handle, sync::mpsc, task};
use tracing::{debug, warn};

use super::shared::Shared;
use crate::{
    control::{BackendEnd, Ended},
    datapath::{self, ClientFlow, Flows},
    model::{NamespaceId, Vni},
    netlink::{Conversation, Error, Namespace, SocketDiagnosis, Transport},
};

/// Sockets that shall end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ending {
    /// Whose: those of this network's containers here, or, without one, of the host itself.
    pub(super) network: Option<Vni>,
    /// Whom they talk to: a task's address, or a service's.
    pub(super) peer: IpAddr,
    /// At which port; `None`: at any.
    pub(super) port: Option<u16>,
    /// The only one among them: the flow of a client whose packets went to a task that is gone. `None`: all.
    pub(super) flow: Option<(Transport, SocketAddr)>,
}

/// IP protocols.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where sockets are looked for: the namespaces of containers, and the paths by which they were attached.
type Homes = BTreeMap<NamespaceId, PathBuf>;

/// As many are done at once, so that each namespace is entered once for a service with many tasks.
const AT_ONCE: usize = 1024;

impl Ending {
    /// Everything in a network that talks to a task.
    pub(super) fn of_task(network: Vni, peer: IpAddr) -> Self {
        Self {
            network: Some(network),
            peer,
            port: None,
            flow: None,
        }
    }

    /// The socket of a client whose packets were balanced; nothing where there is none to end.
    fn of_flow(flow: &ClientFlow) -> Option<Self> {
        let transport = match flow.protocol {
            TCP => Transport::Tcp,
            UDP => Transport::Udp,
            _ => return None,
        };
        Some(Self {
            network: Some(flow.network),
            peer: flow.service.ip(),
            port: Some(flow.service.port()),
            flow: Some((transport, flow.client)),
        })
    }

    fn covers(&self, conversation: &Conversation) -> bool {
        let Conversation {
            transport,
            local,
            peer,
        } = conversation;
        peer.ip() == self.peer
            && self.port.is_none_or(|port| port == peer.port())
            && self.flow.is_none_or(|flow| flow == (*transport, *local))
    }
}

/// Ends the sockets of clients of backends that are gone: of those that were led there, and of those whose
/// packets were. Flows stay: the programs find that they lead nowhere when their next packet comes.
#[derive(Debug)]
pub(super) struct SocketsEnd {
    shared: Arc<Shared>,
    runtime: Handle,
}

impl SocketsEnd {
    /// Must be called in a runtime.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let runtime = Handle::current();
        Self { shared, runtime }
    }
}

impl BackendEnd for SocketsEnd {
    fn ended(&mut self, backends: &[Ended]) {
        for Ended { id, was } in backends {
            debug!(backend = id.0, service = was.service, "ended");
            let ending = Ending::of_task(was.place.vni, was.place.address);
            self.shared.end_sockets(ending);
        }
        let shared = Arc::clone(&self.shared);
        let gone = backends.iter().map(|backend| backend.id.0).collect();
        // There may be very many flows to look at.
        drop(self.runtime.spawn_blocking(move || {
            if let Err(error) = end_clients(&shared, &gone) {
                let error: &dyn std::error::Error = &error;
                warn!(error, "sockets of clients of a task that is gone may hang");
            }
        }));
    }
}

fn end_clients(shared: &Shared, gone: &BTreeSet<u32>) -> Result<(), datapath::Error> {
    let flows = Flows::open(&shared.pins, shared.capacity().flows)?;
    for ending in flows.clients_of(gone)?.iter().filter_map(Ending::of_flow) {
        shared.end_sockets(ending);
    }
    Ok(())
}

/// Ends what it is told to. Ends itself when nobody can tell it any more.
pub(super) async fn end_as_told(mut told: mpsc::UnboundedReceiver<Ending>, shared: Arc<Shared>) {
    let mut endings = Vec::new();
    while told.recv_many(&mut endings, AT_ONCE).await > 0 {
        let mut by_network: BTreeMap<Option<Vni>, Vec<Ending>> = BTreeMap::new();
        for ending in endings.drain(..) {
            by_network.entry(ending.network).or_default().push(ending);
        }
        for (network, endings) in by_network {
            let homes = network.map(|vni| homes(&shared, vni));
            let ended = task::spawn_blocking(move || {
                let started = Instant::now();
                let count = match homes {
                    Some(homes) => end_in(&homes, &endings),
                    None => report(end_here(&endings)),
                };
                debug!(count, took = ?started.elapsed(), "ended sockets whose task is gone");
            });
            if ended.await.is_err() {
                return;
            }
        }
    }
}

fn homes(shared: &Shared, vni: Vni) -> Homes {
    let directory = shared.directory();
    let inside = directory.iter().filter(|attachment| attachment.vni == vni);
    inside
        .map(|attachment| (attachment.namespace, attachment.netns.clone()))
        .collect()
}

/// Ends sockets in these namespaces; returns how many. A namespace is held no longer than that takes.
fn end_in(homes: &Homes, endings: &[Ending]) -> usize {
    let ended = homes.iter().map(|(id, path)| {
        let Some(namespace) = Namespace::find(path, *id)? else {
            return Ok(0);
        };
        end(&mut SocketDiagnosis::open_in(&namespace)?, endings)
    });
    ended.map(report).sum()
}

/// The same in the host's own namespace.
fn end_here(endings: &[Ending]) -> Result<usize, Error> {
    end(&mut SocketDiagnosis::open()?, endings)
}

fn end(diagnosis: &mut SocketDiagnosis, endings: &[Ending]) -> Result<usize, Error> {
    diagnosis.end(|conversation| endings.iter().any(|ending| ending.covers(conversation)))
}

/// How many were ended; none where that failed.
fn report(ended: Result<usize, Error>) -> usize {
    ended.unwrap_or_else(|error| {
        // Of a kernel that cannot end sockets at all the doctor tells.
        if !error.is_unsupported() {
            let error: &dyn std::error::Error = &error;
            warn!(error, "sockets of a task that is gone may hang");
        }
        0
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::netlink::Socket;

    fn conversation(transport: Transport, local: &str, peer: &str) -> Conversation {
        Conversation {
            transport,
            local: local.parse().unwrap(),
            peer: peer.parse().unwrap(),
        }
    }

    fn blue() -> Vni {
        Vni::try_from(4096).unwrap()
    }

    #[test]
    fn an_ending_covers_what_it_names_and_no_more() {
        let task = Ending::of_task(blue(), [10, 1, 0, 7].into());
        let port = Ending {
            port: Some(80),
            ..task.clone()
        };
        let local = "10.1.0.5:4000".parse().unwrap();
        let flow = Ending {
            flow: Some((Transport::Tcp, local)),
            ..port.clone()
        };
        let covered = |local, peer, transport| {
            let it = conversation(transport, local, peer);
            [&task, &port, &flow].map(|ending| ending.covers(&it))
        };

        let (tcp, udp) = (Transport::Tcp, Transport::Udp);
        assert_eq!(covered("10.1.0.5:4000", "10.1.0.7:80", tcp), [true; 3]);
        assert_eq!(
            covered("10.1.0.5:4000", "10.1.0.7:80", udp),
            [true, true, false]
        );
        assert_eq!(
            covered("10.1.0.5:4001", "10.1.0.7:80", tcp),
            [true, true, false]
        );
        assert_eq!(
            covered("10.1.0.5:4000", "10.1.0.7:81", tcp),
            [true, false, false]
        );
        assert_eq!(covered("10.1.0.5:4000", "10.1.0.8:80", tcp), [false; 3]);
        assert_eq!(covered("10.1.0.7:80", "10.1.0.5:4000", tcp), [false; 3]);
    }

    #[test]
    fn a_flow_ends_the_socket_of_its_client() {
        let flow = |protocol| ClientFlow {
            network: blue(),
            protocol,
            client: "10.1.0.5:4000".parse().unwrap(),
            service: "10.1.0.9:80".parse().unwrap(),
        };
        let ending = Ending::of_flow(&flow(6)).unwrap();
        let covers =
            |local, transport| ending.covers(&conversation(transport, local, "10.1.0.9:80"));

        assert!(covers("10.1.0.5:4000", Transport::Tcp));
        assert!(!covers("10.1.0.5:4001", Transport::Tcp));
        assert!(!covers("10.1.0.5:4000", Transport::Udp));
        assert_eq!(Ending::of_flow(&flow(1)), None);
    }

    #[test]
    fn sockets_are_ended_in_the_namespaces_that_are_still_there() {
        let namespace = Namespace::create().unwrap();
        let mut socket = Socket::open_in(&namespace).unwrap();
        let loopback = socket.link_by_name("lo").unwrap();
        socket.set_up(loopback.ifindex).unwrap();
        // The server's end is in the same namespace, and talks to another port.
        let (mut client, server) = namespace
            .run(|| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                (client, listener.accept().unwrap().0)
            })
            .unwrap();
        let ending = Ending {
            port: Some(server.local_addr().unwrap().port()),
            ..Ending::of_task(blue(), [127, 0, 0, 1].into())
        };
        let gone = NamespaceId {
            inode: 1,
            ..namespace.id()
        };
        let path = path_of(&namespace);
        let homes = Homes::from([(gone, path.clone()), (namespace.id(), path)]);

        assert_eq!(end_in(&homes, std::slice::from_ref(&ending)), 1);

        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
        assert_eq!(end_in(&homes, &[ending]), 0);
        drop(server);
    }

    fn path_of(namespace: &Namespace) -> PathBuf {
        use std::os::fd::{AsFd as _, AsRawFd as _};
        let descriptor = namespace.as_fd().as_raw_fd();
        PathBuf::from(format!("/proc/self/fd/{descriptor}"))
    }
}
