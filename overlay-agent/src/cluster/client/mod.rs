//! How a node asks the managers: any of them, in turn, until one answers.
//!
//! The client knows several managers. It asks the one that answered last, follows a manager's hint to
//! the leader, and goes on to the next when one is gone. Requests carry an identifier, so asking again
//! does nothing twice. Time passes between rounds, more after each, with jitter.

mod answer;
mod backoff;
mod connection;
mod error;
mod join;
mod lines;
mod pool;
#[cfg(test)]
mod tests;
mod turn;
mod watch;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use backoff::{Backoff, Jitter};
use bytes::Bytes;
pub use error::ClientError;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
pub use join::{Join, NewNode, join};
use rustls::ClientConfig;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep, timeout_at},
};
pub use watch::{Watch, Watched};

use self::{
    connection::{Connection, Exchange},
    error::Then,
    pool::Pool,
    turn::Turn,
};
use super::{
    pki::tls::Tls,
    service::{Numbered, RaftCall, RenewRequest, Renewed},
};
use crate::model::RequestId;

/// How long the client waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For a connection to one manager, with its handshake.
    pub connect: Duration,
    /// For one manager's answer.
    pub answer: Duration,
    /// For any manager's answer; after that the request has failed.
    pub patience: Duration,
    /// For a sign of life on the watch stream; must be more than the managers' heartbeat.
    pub silence: Duration,
    /// Between rounds.
    pub backoff: Backoff,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(15),
            patience: Duration::from_secs(10),
            silence: Duration::from_secs(15),
            backoff: Backoff::default(),
        }
    }
}

/// Asks the managers. Clones share what they know and their connections.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    timing: Timing,
    jitter: Jitter,
    managers: Mutex<Managers>,
    pool: Pool,
    /// When a manager last said anything on a watch, seconds since 1970; 0 before that.
    heard: AtomicU64,
}

/// Where the TLS of a new connection comes from.
enum Source {
    /// A host that is no node yet.
    Token(Arc<ClientConfig>),
    /// A node, whose certificate and roots change with time.
    Node(Receiver<Arc<Tls>>),
}

#[derive(Default)]
struct Managers {
    known: Vec<SocketAddr>,
    /// Who answered last: most likely the leader.
    preferred: Option<SocketAddr>,
}

impl Client {
    /// A client of these managers. New connections use the latest `tls`.
    pub fn new(
        tls: Receiver<Arc<Tls>>,
        managers: Vec<SocketAddr>,
        timing: Timing,
        jitter: Jitter,
    ) -> Self {
        Self::with_source(Source::Node(tls), managers, timing, jitter)
    }

    fn with_source(source: Source, known: Vec<SocketAddr>, timing: Timing, jitter: Jitter) -> Self {
        let managers = Managers {
            known,
            preferred: None,
        };
        Self {
            shared: Arc::new(Shared {
                source,
                timing,
                jitter,
                managers: Mutex::new(managers),
                pool: Pool::default(),
                heard: AtomicU64::new(0),
            }),
        }
    }

    /// When a manager last told this node that it is there, seconds since 1970. `None`: not since the
    /// client was made.
    pub fn heard(&self) -> Option<u64> {
        let heard = self.shared.heard.load(Ordering::Relaxed);
        (heard > 0).then_some(heard)
    }

    fn note_heard(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(1, |now| now.as_secs());
        self.shared.heard.store(seconds, Ordering::Relaxed);
    }

    /// The managers that are there now.
    pub fn set_managers(&self, known: Vec<SocketAddr>) {
        self.shared.pool.keep_only(&known);
        self.managers().known = known;
    }

    /// Asks for what the state machine understands. The same `id` again is the same request.
    ///
    /// # Errors
    /// After a refusal nothing was done. After any other error it may have been done; asking again with
    /// the same `id` tells.
    pub async fn request<Q: Serialize + Sync, R: DeserializeOwned>(
        &self,
        id: RequestId,
        request: &Q,
    ) -> Result<R, ClientError> {
        self.ask("/v1/request", &Numbered { id, request }).await
    }

    /// A new certificate for the key that signed `csr` (PKCS #10 in PEM).
    pub async fn renew(&self, csr: String) -> Result<Renewed, ClientError> {
        self.ask("/v1/renew", &RenewRequest { csr }).await
    }

    /// Follows the cluster's state from after `index` on; without one, from everything.
    pub fn watch<C: DeserializeOwned>(&self, index: Option<u64>) -> Watch<C> {
        Watch::new(self.clone(), index)
    }

    /// One call of consensus to one manager, which is not repeated.
    pub async fn raft(
        &self,
        manager: SocketAddr,
        call: RaftCall,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, ClientError> {
        let deadline = Instant::now() + patience;
        self.attempt(manager, call.path(), body, deadline).await
    }

    async fn ask<Q: Serialize + Sync, R: DeserializeOwned>(
        &self,
        path: &'static str,
        question: &Q,
    ) -> Result<R, ClientError> {
        let body = serde_json::to_vec(question).map_err(ClientError::Encode)?;
        let (manager, answer) = self.ask_any(path, body.into()).await?;
        answer::understand(manager, &answer)
    }

    /// Rounds over all managers until one answers or patience ends.
    async fn ask_any(
        &self,
        path: &'static str,
        body: Bytes,
    ) -> Result<(SocketAddr, Bytes), ClientError> {
        let Timing {
            patience, backoff, ..
        } = self.shared.timing;
        let deadline = Instant::now() + patience;
        let mut round = 0;
        let mut before = Vec::new();
        loop {
            let failures = match self.ask_each(path, &body, deadline).await {
                Ok(answered) => return Ok(answered),
                Err(failures) => failures,
            };
            let pause = backoff.pause(round, self.shared.jitter.next());
            let is_hopeless = failures.iter().all(|error| error.then() == Then::Never);
            if is_hopeless || Instant::now() + pause >= deadline {
                // The last round may have been cut off in the middle: the one before tells more then.
                let was_cut_off = failures.iter().any(ClientError::is_timeout);
                let tell_before = was_cut_off && !before.is_empty();
                let telling = if tell_before { before } else { failures };
                return Err(ClientError::all(telling));
            }
            before = failures;
            sleep(pause).await;
            round += 1;
        }
    }

    /// One round. The failures are those of every manager, or one that ends all asking.
    async fn ask_each(
        &self,
        path: &'static str,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<(SocketAddr, Bytes), Vec<ClientError>> {
        let mut turn = self.turn();
        let mut failures = Vec::new();
        while let Some(manager) = turn.next() {
            let end = deadline.min(Instant::now() + self.shared.timing.answer);
            match self.attempt(manager, path, body.clone(), end).await {
                Ok(answer) => {
                    self.managers().preferred = Some(manager);
                    return Ok((manager, answer));
                }
                Err(error) => {
                    match error.then() {
                        Then::Leader(leader) => turn.go_to(leader),
                        Then::Never if error.is_refusal() => return Err(vec![error]),
                        Then::Never | Then::Another => (),
                    }
                    failures.push(error);
                }
            }
        }
        Err(failures)
    }

    async fn attempt(
        &self,
        manager: SocketAddr,
        path: &'static str,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, ClientError> {
        let asking = async {
            let request = || post(manager, path, body.clone());
            if let Some(connection) = self.shared.pool.take(manager, &self.config()) {
                match connection.send(manager, request()?).await {
                    Ok(exchange) => return self.finish(manager, exchange).await,
                    // It was closed while nobody used it.
                    Err(error) if error.is_lost_connection() => (),
                    Err(error) => return Err(error),
                }
            }
            let connection = self.connect(manager).await?;
            let exchange = connection.send(manager, request()?).await?;
            self.finish(manager, exchange).await
        };
        timeout_at(deadline, asking)
            .await
            .map_err(|_elapsed| ClientError::TimedOut { manager })?
    }

    async fn finish(&self, manager: SocketAddr, exchange: Exchange) -> Result<Bytes, ClientError> {
        let status = exchange.response.status();
        let (body, connection) = answer::receive(manager, exchange).await?;
        if let Some(connection) = connection {
            self.shared.pool.give_back(manager, connection);
        }
        if status == StatusCode::OK {
            Ok(body)
        } else {
            Err(answer::refusal(manager, status, &body))
        }
    }

    async fn connect(&self, manager: SocketAddr) -> Result<Connection, ClientError> {
        connection::connect(manager, self.config(), self.shared.timing.connect).await
    }

    fn config(&self) -> Arc<ClientConfig> {
        match &self.shared.source {
            Source::Token(config) => Arc::clone(config),
            Source::Node(tls) => Arc::clone(tls.borrow().client()),
        }
    }

    fn turn(&self) -> Turn {
        let managers = self.managers();
        Turn::new(
            &managers.known,
            managers.preferred,
            self.shared.jitter.next(),
        )
    }

    fn managers(&self) -> MutexGuard<'_, Managers> {
        let managers = self.shared.managers.lock();
        managers.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

fn post(manager: SocketAddr, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ClientError> {
    request(manager, Method::POST, path, body)
}

fn request(
    manager: SocketAddr,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, manager.to_string())
        .body(Full::new(body))
        .map_err(ClientError::Build)
}
