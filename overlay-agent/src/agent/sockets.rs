//! Ending sockets whose task is gone. A socket that was led to a task has no flow that could be cut, and a connection
//! whose packets are balanced learns of its end only when it sends; both would hang otherwise. Nothing else is ended:
//! who talks to a task by its own address has not asked for a service.
//!
//! Input: tasks that are [`Gone`], until the data plane ends. Output: none; what cannot be ended is told to the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task, time::timeout};
use tracing::{debug, trace, warn};

use super::shared::Shared;
use crate::{
    control::{BackendEnd, Ended},
    datapath::{self, ClientFlow, Flows, LedSocket, LedSockets},
    model::{NamespaceId, Vni},
    netlink::{Conversation, Error, Namespace, SocketDiagnosis, Transport},
};

/// Tasks that are gone: the numbers of backends, and the networks that they were in.
pub(super) type Gone = BTreeMap<u32, Vni>;

/// IANA's number of TCP.
const TCP: u8 = 6;

/// A socket that asked while the tables changed is found when one looks again.
const AGAIN: Duration = Duration::from_millis(500);

/// As many are done at once, so that each namespace is entered once for a service with many tasks.
const AT_ONCE: usize = 1024;

/// Where sockets are looked for: the namespaces of containers, and the paths by which they were attached.
type Homes = BTreeMap<NamespaceId, PathBuf>;

/// Passes on which backends have ended. Flows stay: the programs find that they lead nowhere when their next packet
/// comes.
#[derive(Debug)]
pub(super) struct SocketsEnd {
    told: mpsc::UnboundedSender<Gone>,
}

impl SocketsEnd {
    /// Tells whoever runs [`end_as_told`].
    pub(super) fn new(told: mpsc::UnboundedSender<Gone>) -> Self {
        Self { told }
    }
}

impl BackendEnd for SocketsEnd {
    fn ended(&mut self, backends: &[Ended]) {
        let gone = backends.iter().map(|Ended { id, was }| {
            debug!(backend = id.0, service = was.service, "ended");
            (id.0, was.place.vni)
        });
        if self.told.send(gone.collect()).is_err() {
            trace!("nobody ends sockets any more");
        }
    }
}

/// Ends the sockets of what it is told of. Ends itself when nobody can tell it any more.
pub(super) async fn end_as_told(mut told: mpsc::UnboundedReceiver<Gone>, shared: Arc<Shared>) {
    let mut late = Gone::new();
    loop {
        let mut heard = Vec::new();
        let fresh = told.recv_many(&mut heard, AT_ONCE);
        let fresh = if late.is_empty() {
            fresh.await
        } else {
            match timeout(AGAIN, fresh).await {
                Ok(fresh) => fresh,
                Err(_elapsed) => {
                    end_of(mem::take(&mut late), &shared).await;
                    continue;
                }
            }
        };
        if fresh == 0 {
            return;
        }
        let fresh: Gone = heard.into_iter().flatten().collect();
        let mut gone = mem::replace(&mut late, fresh.clone());
        gone.extend(fresh);
        end_of(gone, &shared).await;
    }
}

async fn end_of(gone: Gone, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    // There may be very many sockets and flows to look at.
    let ended = task::spawn_blocking(move || {
        let started = Instant::now();
        match find(&shared, &gone) {
            Ok(found) => {
                let count: usize = found
                    .iter()
                    .map(|(vni, endings)| {
                        end_in(&homes(&shared, *vni), endings) + end_here(endings)
                    })
                    .sum();
                debug!(count, took = ?started.elapsed(), "ended sockets whose task is gone");
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(error, "sockets of clients of a task that is gone may hang");
            }
        }
    });
    if let Err(error) = ended.await {
        warn!(%error, "sockets of clients of a task that is gone may hang");
    }
}

/// Sockets of one network's containers, or of the host, that shall end.
#[derive(Debug, Default)]
struct Endings {
    /// Those that were led to a task: by their cookies, and whom they talk to.
    led: BTreeSet<(u64, SocketAddr)>,
    /// Connections whose packets were led: client and service.
    clients: BTreeSet<(SocketAddr, SocketAddr)>,
}

impl Endings {
    fn add_led(&mut self, socket: &LedSocket) {
        self.led.insert((socket.cookie, socket.peer));
    }

    /// Datagrams choose another task by themselves.
    fn add_client(&mut self, flow: &ClientFlow) {
        if flow.protocol == TCP {
            self.clients.insert((flow.client, flow.service));
        }
    }

    fn covers(&self, it: &Conversation) -> bool {
        self.led.contains(&(it.cookie, it.peer))
            || (it.transport == Transport::Tcp && self.clients.contains(&(it.local, it.peer)))
    }
}

fn find(shared: &Shared, gone: &Gone) -> Result<BTreeMap<Vni, Endings>, datapath::Error> {
    let numbers = gone.keys().copied().collect();
    let mut found: BTreeMap<Vni, Endings> = BTreeMap::new();
    for socket in LedSockets::open(&shared.pins)?.led_to(&numbers)? {
        if let Some(vni) = gone.get(&socket.backend) {
            found.entry(*vni).or_default().add_led(&socket);
        }
    }
    let flows = Flows::open(&shared.pins, shared.capacity().flows)?;
    for flow in flows.clients_of(&numbers)? {
        found.entry(flow.network).or_default().add_client(&flow);
    }
    Ok(found)
}

fn homes(shared: &Shared, vni: Vni) -> Homes {
    let directory = shared.directory();
    let inside = directory.iter().filter(|attachment| attachment.vni == vni);
    inside
        .map(|attachment| (attachment.namespace, attachment.netns.clone()))
        .collect()
}

/// Ends sockets in these namespaces; returns how many. A namespace is held no longer than that takes.
fn end_in(homes: &Homes, endings: &Endings) -> usize {
    let ended = homes.iter().map(|(id, path)| {
        let Some(namespace) = Namespace::find(path, *id)? else {
            return Ok(0);
        };
        end(&mut SocketDiagnosis::open_in(&namespace)?, endings)
    });
    ended.map(report).sum()
}

/// The same in the host's own namespace, where only sockets are led.
fn end_here(endings: &Endings) -> usize {
    if endings.led.is_empty() {
        return 0;
    }
    let ended = SocketDiagnosis::open().and_then(|mut diagnosis| end(&mut diagnosis, endings));
    report(ended)
}

fn end(diagnosis: &mut SocketDiagnosis, endings: &Endings) -> Result<usize, Error> {
    diagnosis.end(|conversation| endings.covers(conversation))
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

    const COOKIE: u64 = 77;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn conversation(transport: Transport, cookie: u64, local: &str, peer: &str) -> Conversation {
        Conversation {
            transport,
            cookie,
            local: at(local),
            peer: at(peer),
        }
    }

    #[test]
    fn a_led_socket_ends_and_others_that_talk_to_the_same_task_do_not() {
        let mut endings = Endings::default();
        endings.add_led(&LedSocket {
            cookie: COOKIE,
            peer: at("10.1.0.7:80"),
            backend: 1,
        });
        let covers = |transport, cookie, peer| {
            endings.covers(&conversation(transport, cookie, "10.1.0.5:4000", peer))
        };

        assert!(covers(Transport::Tcp, COOKIE, "10.1.0.7:80"));
        assert!(covers(Transport::Udp, COOKIE, "10.1.0.7:80"));
        // It was connected anew.
        assert!(!covers(Transport::Udp, COOKIE, "10.1.0.8:80"));
        assert!(!covers(Transport::Tcp, COOKIE + 1, "10.1.0.7:80"));
    }

    #[test]
    fn a_flow_ends_the_connection_of_its_client_and_no_datagrams() {
        let flow = |protocol| ClientFlow {
            network: Vni::try_from(4096).unwrap(),
            protocol,
            client: at("10.1.0.5:4000"),
            service: at("10.1.0.9:80"),
        };
        let mut endings = Endings::default();
        endings.add_client(&flow(17));
        endings.add_client(&flow(1));
        assert!(endings.clients.is_empty());
        endings.add_client(&flow(TCP));
        let covers =
            |transport, local, peer| endings.covers(&conversation(transport, COOKIE, local, peer));

        assert!(covers(Transport::Tcp, "10.1.0.5:4000", "10.1.0.9:80"));
        assert!(!covers(Transport::Tcp, "10.1.0.5:4001", "10.1.0.9:80"));
        assert!(!covers(Transport::Tcp, "10.1.0.5:4000", "10.1.0.9:81"));
        assert!(!covers(Transport::Udp, "10.1.0.5:4000", "10.1.0.9:80"));
    }

    #[test]
    fn sockets_are_ended_in_the_namespaces_that_are_still_there() {
        let namespace = Namespace::create().unwrap();
        let mut socket = Socket::open_in(&namespace).unwrap();
        let loopback = socket.link_by_name("lo").unwrap();
        socket.set_up(loopback.ifindex).unwrap();
        let (mut client, server) = namespace
            .run(|| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                (client, listener.accept().unwrap().0)
            })
            .unwrap();
        let mut endings = Endings::default();
        let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        endings.clients.insert(ends);
        let gone = NamespaceId {
            inode: 1,
            ..namespace.id()
        };
        let path = path_of(&namespace);
        let homes = Homes::from([(gone, path.clone()), (namespace.id(), path)]);

        assert_eq!(end_in(&homes, &endings), 1);

        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
        assert_eq!(end_in(&homes, &endings), 0);
        drop(server);
    }

    fn path_of(namespace: &Namespace) -> PathBuf {
        use std::os::fd::{AsFd as _, AsRawFd as _};
        let descriptor = namespace.as_fd().as_raw_fd();
        PathBuf::from(format!("/proc/self/fd/{descriptor}"))
    }
}
