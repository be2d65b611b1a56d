//! Connections between requests.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::ClientConfig;
use tokio::time::Instant;

use super::connection::Connection;

/// Less than a manager waits for the next request.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Of one manager; consensus needs a few at a time.
const MOST: usize = 4;

/// Connections that rest, by manager; the one used last is the last one.
#[derive(Default)]
pub(super) struct Pool {
    resting: Mutex<BTreeMap<SocketAddr, Vec<Resting>>>,
}

struct Resting {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A connection that was made with this TLS.
    pub(super) fn take(
        &self,
        manager: SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> Option<Connection> {
        let mut resting = self.resting();
        let of_manager = resting.get_mut(&manager)?;
        of_manager.retain(|resting| {
            Arc::ptr_eq(&resting.connection.config, config)
                && !resting.connection.is_closed()
                && resting.since.elapsed() < LONGEST_REST
        });
        of_manager.pop().map(|resting| resting.connection)
    }

    /// A connection whose last response was read.
    pub(super) fn give_back(&self, manager: SocketAddr, connection: Connection) {
        let mut resting = self.resting();
        let of_manager = resting.entry(manager).or_default();
        if of_manager.len() == MOST {
            of_manager.remove(0);
        }
        of_manager.push(Resting {
            connection,
            since: Instant::now(),
        });
    }

    /// Closes those to other managers.
    pub(super) fn keep_only(&self, managers: &[SocketAddr]) {
        self.resting()
            .retain(|manager, _connections| managers.contains(manager));
    }

    fn resting(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Vec<Resting>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
