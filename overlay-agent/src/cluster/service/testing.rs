//! A manager's port on loopback, and hosts that talk to it byte by byte.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch::{self, Receiver},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    Counter, Counters, Limits, Service,
    fake::{Cluster, FakeManager},
};
use crate::{
    cluster::pki::{
        Credentials,
        testing::{clock, tls},
        tls::Tls,
    },
    model::Role,
};

/// One manager that answers; the port closes when this is dropped.
pub(in crate::cluster) struct Door {
    pub(in crate::cluster) address: SocketAddr,
    pub(in crate::cluster) counters: Arc<Counters>,
    pub(in crate::cluster) tls: watch::Sender<Arc<Tls>>,
    pub(in crate::cluster) cancel: CancellationToken,
    pub(in crate::cluster) serving: JoinSet<()>,
}

impl Door {
    /// One more manager; the first one leads.
    pub(in crate::cluster) async fn open(cluster: &Arc<Cluster>, limits: Limits) -> Self {
        let credentials = node(cluster, Role::Manager);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut state = cluster.state();
        state.leader.get_or_insert(address);
        state.managers.push(address);
        drop(state);
        let manager = FakeManager {
            cluster: Arc::clone(cluster),
            address,
        };
        let tls = watch::Sender::new(tls(credentials));
        let service = Service::new(Arc::new(manager), tls.subscribe(), clock(), limits);
        let counters = service.counters();
        let cancel = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(service.serve(listener, cancel.clone()));
        Self {
            address,
            counters,
            tls,
            cancel,
            serving,
        }
    }

    /// Waits until something was counted so often.
    pub(in crate::cluster) async fn counted(&self, counter: Counter, times: u64) {
        self.counted_as(&[counter], times).await;
    }

    /// Waits until these counters have counted so often together.
    pub(in crate::cluster) async fn counted_as(&self, counters: &[Counter], times: u64) {
        let sum = || -> u64 { counters.iter().map(|one| self.counters.get(*one)).sum() };
        for _attempt in 0..1_000 {
            if sum() >= times {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(sum(), times, "{:?}", self.counters.all());
    }

    /// A connection with its handshake done.
    pub(in crate::cluster) async fn connect(
        &self,
        config: &Arc<ClientConfig>,
    ) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::from(self.address.ip());
        let connector = TlsConnector::from(Arc::clone(config));
        connector.connect(name, stream).await.unwrap()
    }

    /// One request: status and body of the answer.
    pub(in crate::cluster) async fn ask(
        &self,
        config: &Arc<ClientConfig>,
        call: &str,
        body: &str,
    ) -> (u16, String) {
        let mut stream = self.connect(config).await;
        let request = format!(
            "{call} HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

/// A node that the managers know.
pub(in crate::cluster) fn node(cluster: &Cluster, role: Role) -> Credentials {
    let mut state = cluster.state();
    let credentials = state.world.node(role);
    state.roles.insert(credentials.identity().node, role);
    credentials
}

/// A receiver of TLS that never changes.
pub(in crate::cluster) fn fixed(credentials: Credentials) -> Receiver<Arc<Tls>> {
    watch::Sender::new(tls(credentials)).subscribe()
}

/// Limits with which tests do not wait long.
pub(in crate::cluster) fn short() -> Limits {
    Limits {
        handshake: Duration::from_millis(300),
        stranger: Duration::from_secs(2),
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        unacknowledged: Duration::from_secs(1),
        heartbeat: Duration::from_millis(100),
        grace: Duration::from_secs(1),
        ..Limits::default()
    }
}
