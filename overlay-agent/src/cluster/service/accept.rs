//! The loop that takes connections.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    Counter, Managers, Service,
    admission::Admission,
    connection::{Arrival, serve},
    routes::router,
};

/// After the system could not give us a connection: it has no memory or no descriptors left, and the
/// connection still waits.
const PAUSE: Duration = Duration::from_millis(100);

impl<M: Managers> Service<M> {
    /// Answers until `cancel`. Then no connection is taken any more, watch streams end at once, and
    /// running requests have the limits' grace.
    pub async fn serve(self, listener: TcpListener, cancel: CancellationToken) {
        let service = Arc::new(self);
        let router = router(Arc::clone(&service), cancel.clone());
        let admission = Admission::new(service.limits);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                Some(ended) = connections.join_next() => {
                    report(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "a connection to the manager's port could not be taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            service.counters.count(Counter::Accepted);
            let Some(place) = admission.stranger(address.ip()) else {
                service.counters.count(Counter::OverLimit);
                continue;
            };
            if let Err(error) = prepare(&stream, service.limits.unacknowledged) {
                debug!(%error, "a connection ended before it began");
                service.counters.count(Counter::Broken);
                continue;
            }
            let arrival = Arrival {
                stream,
                address: canonical(address),
                place,
            };
            connections.spawn(serve(
                Arc::clone(&service),
                router.clone(),
                arrival,
                cancel.clone(),
            ));
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(service.limits.grace, ended)
            .await
            .is_err()
        {
            debug!("requests to the manager were cut off at its end");
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "BUG: the service of a connection panicked");
    }
}

fn prepare(stream: &TcpStream, unacknowledged: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let milliseconds = u32::try_from(unacknowledged.as_millis()).unwrap_or(u32::MAX);
    setsockopt(stream, sockopt::TcpUserTimeout, &milliseconds)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    Ok(())
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
