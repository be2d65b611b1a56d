//! One connection, from the handshake to its end.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::Request};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Counter, Managers, Peer, Service, admission::Place, limits::HEAD};
use crate::cluster::pki::peer_identity;

/// A connection of which nothing is known yet.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
}

/// Ends with the connection.
pub(super) async fn serve<M: Managers>(
    service: Arc<Service<M>>,
    router: Router,
    arrival: Arrival,
    cancel: CancellationToken,
) {
    let Arrival {
        stream,
        address,
        place,
    } = arrival;
    let counters = &service.counters;
    let Some(stream) = handshake(&service, stream, &cancel).await else {
        return;
    };
    let chain = stream.get_ref().1.peer_certificates();
    let identity = chain.and_then(|chain| peer_identity(chain).ok());
    let patience = identity.is_none().then_some(service.limits.stranger);
    let place = match identity {
        Some(_) => place.for_node(),
        None => Some(place),
    };
    let Some(_place) = place else {
        counters.count(Counter::OverLimit);
        return;
    };
    let peer = Peer { address, identity };
    let router = TowerToHyperService::new(router);
    let has_asked = AtomicBool::new(false);
    let answer = service_fn(|mut request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(service.limits.head)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = elapsed(patience) => {
            counters.count(Counter::TooSlow);
            return;
        }
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A node that has nothing more to ask is no incident.
        if error.is_timeout() && has_asked.load(Ordering::Relaxed) {
            return;
        }
        debug!(%error, %address, "a connection to the manager broke");
        counters.count(counter_of(&error));
    }
}

async fn handshake<M: Managers>(
    service: &Service<M>,
    stream: TcpStream,
    cancel: &CancellationToken,
) -> Option<TlsStream<TcpStream>> {
    let config = Arc::clone(service.tls.borrow().server());
    let accepting = timeout(
        service.limits.handshake,
        TlsAcceptor::from(config).accept(stream),
    );
    let accepted = tokio::select! {
        accepted = accepting => accepted,
        () = cancel.cancelled() => return None,
    };
    match accepted {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            debug!(%error, "a handshake with the manager failed");
            service.counters.count(Counter::HandshakeFailed);
            None
        }
        Err(_elapsed) => {
            service.counters.count(Counter::TooSlow);
            None
        }
    }
}

async fn elapsed(patience: Option<Duration>) {
    match patience {
        Some(patience) => tokio::time::sleep(patience).await,
        None => std::future::pending().await,
    }
}

fn counter_of(error: &hyper::Error) -> Counter {
    if error.is_parse() {
        Counter::Malformed
    } else if error.is_timeout() {
        Counter::TooSlow
    } else {
        Counter::Broken
    }
}
