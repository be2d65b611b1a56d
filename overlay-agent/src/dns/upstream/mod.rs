//! Questions about names that are none of ours, passed on byte for byte.
//!
//! Each goes out with an identifier and a port of its own, both random, and only an answer from that resolver,
//! with that identifier and to that question, comes back. Not here: who may ask.

mod exchange;
mod servers;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
pub use servers::{Follower, Servers};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until, timeout_at},
};

/// How long an asker waits for an answer, as with Docker.
const PATIENCE: Duration = Duration::from_secs(4);

/// After this long without an answer the next resolver is asked too.
const STEP: Duration = Duration::from_secs(1);

/// Datagrams that are sent for one question at most.
const ATTEMPTS: usize = 3;

/// Questions that are on their way at once, as with Docker.
const IN_FLIGHT: usize = 1024;

/// Of those, one container's.
const IN_FLIGHT_OF_ONE: usize = 256;

/// A question to pass on.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The whole message as it came.
    pub(super) message: Vec<u8>,
    /// Where its question section ends.
    pub(super) end: usize,
    /// Whether an answer may be longer than a datagram.
    pub(super) is_stream: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// There is no resolver, or none answers.
    Unanswered,
}

/// The way to other resolvers.
#[derive(Debug)]
pub(super) struct Upstream {
    servers: Servers,
    /// The one that answered last.
    preferred: AtomicUsize,
    room: Semaphore,
    /// How many each asker has on their way.
    askers: Mutex<HashMap<IpAddr, usize>>,
}

/// The right to pass one question on.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    upstream: &'a Upstream,
    asker: IpAddr,
    _room: SemaphorePermit<'a>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut askers = self.upstream.askers();
        if let Some(count) = askers.get_mut(&self.asker) {
            *count -= 1;
            if *count == 0 {
                askers.remove(&self.asker);
            }
        }
    }
}

impl Upstream {
    /// Asks these.
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            servers,
            preferred: AtomicUsize::new(0),
            room: Semaphore::new(IN_FLIGHT),
            askers: Mutex::default(),
        }
    }

    /// Whether one more question of this asker can be passed on.
    pub(super) fn admit(&self, asker: IpAddr) -> Option<Pass<'_>> {
        let room = self.room.try_acquire().ok()?;
        let mut askers = self.askers();
        let count = askers.entry(asker).or_default();
        if *count >= IN_FLIGHT_OF_ONE {
            return None;
        }
        *count += 1;
        drop(askers);
        Some(Pass {
            upstream: self,
            asker,
            _room: room,
        })
    }

    fn askers(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Passes a question on and waits for the answer.
    pub(super) async fn ask(&self, question: &Question) -> Result<Vec<u8>, Failure> {
        let servers = self.upstream.servers.now();
        let deadline = Instant::now() + PATIENCE;
        let (number, reply) = race(&servers, self.upstream.first(&servers), question, deadline)
            .await
            .ok_or(Failure::Unanswered)?;
        self.upstream.preferred.store(number, Ordering::Relaxed);
        if !(question.is_stream && exchange::is_truncated(&reply)) {
            return Ok(reply);
        }
        let whole = exchange::by_stream(servers[number], question);
        let whole = timeout_at(deadline, whole).await;
        whole.map_or(Err(Failure::Unanswered), |whole| {
            whole.map_err(|_error| Failure::Unanswered)
        })
    }
}

impl Upstream {
    fn first(&self, servers: &Arc<[SocketAddr]>) -> usize {
        let preferred = self.preferred.load(Ordering::Relaxed);
        if preferred < servers.len() {
            preferred
        } else {
            0
        }
    }
}

/// Asks one resolver after the other, each a step later or as soon as one has failed, and returns the first
/// answer of use with the number of its sender. A refusal is of use if nobody knows better.
async fn race(
    servers: &[SocketAddr],
    first: usize,
    question: &Question,
    deadline: Instant,
) -> Option<(usize, Vec<u8>)> {
    let mut order = (0..ATTEMPTS.max(servers.len())).map(|turn| {
        let number = (first + turn) % servers.len();
        (turn, number)
    });
    if servers.is_empty() {
        return None;
    }
    let mut running = FuturesUnordered::new();
    let mut asked = 0;
    let mut refusal = None;
    let mut next_at = Instant::now();
    loop {
        if next_at <= Instant::now() || running.is_empty() {
            match order.next() {
                Some((turn, number)) => {
                    asked = turn + 1;
                    next_at = Instant::now() + STEP;
                    running.push(async move {
                        (
                            number,
                            exchange::by_datagram(servers[number], question).await,
                        )
                    });
                }
                None if running.is_empty() => return refusal,
                None => next_at = deadline,
            }
        }
        tokio::select! {
            Some((number, reply)) = running.next() => match reply {
                Ok(reply) if exchange::is_refusal(&reply) => {
                    refusal = Some((number, reply));
                    if running.is_empty() && asked >= servers.len() {
                        return refusal;
                    }
                    next_at = Instant::now();
                }
                Ok(reply) => return Some((number, reply)),
                Err(_unreachable) => next_at = Instant::now(),
            },
            () = sleep_until(next_at.min(deadline)) => {
                if Instant::now() >= deadline {
                    return refusal;
                }
            }
        }
    }
}
