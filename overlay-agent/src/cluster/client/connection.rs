//! One connection to one manager.

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_rustls::TlsConnector;

use super::ClientError;
use crate::cluster::pki::tls::peer_error;

/// A connection that waits for a request.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// With what it was made; another one means other credentials.
    pub(super) config: Arc<ClientConfig>,
    /// Dropped, it closes the connection.
    _running: JoinSet<()>,
}

/// A response and the connection that its body still comes from.
pub(super) struct Exchange {
    pub(super) response: Response<Incoming>,
    pub(super) connection: Connection,
}

/// Connects and verifies the manager. Nothing is sent to one that is not trusted.
pub(super) async fn connect(
    manager: SocketAddr,
    config: Arc<ClientConfig>,
    patience: Duration,
) -> Result<Connection, ClientError> {
    let connecting = async {
        let stream = TcpStream::connect(manager).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&config));
        connector
            .connect(ServerName::from(manager.ip()), stream)
            .await
    };
    let connected = timeout(patience, connecting)
        .await
        .map_err(|_elapsed| ClientError::TimedOut { manager })?;
    let stream = connected.map_err(|source| not_connected(manager, source))?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|source| broken(manager, source))?;
    let mut running = JoinSet::new();
    running.spawn(async move {
        if let Err(error) = connection.await {
            // Whoever waits for a response is told as well.
            tracing::debug!(%error, "a connection to a manager broke");
        }
    });
    Ok(Connection {
        sender,
        config,
        _running: running,
    })
}

impl Connection {
    /// Sends a request and waits for the head of the response.
    pub(super) async fn send(
        mut self,
        manager: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> Result<Exchange, ClientError> {
        let response = self.sender.send_request(request).await;
        let response = response.map_err(|source| broken(manager, source))?;
        Ok(Exchange {
            response,
            connection: self,
        })
    }

    /// Whether it can take another request, after the body of the last response was read.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// In TLS 1.3 a server says what it thinks of our certificate after our side of the handshake is done.
pub(super) fn broken(manager: SocketAddr, source: hyper::Error) -> ClientError {
    let cause: Option<&(dyn Error + 'static)> = source.source();
    match cause.and_then(|cause| cause.downcast_ref()).and_then(alert) {
        Some(source) => ClientError::TurnedAway { manager, source },
        None => ClientError::Broken { manager, source },
    }
}

fn not_connected(manager: SocketAddr, source: io::Error) -> ClientError {
    if let Some(source) = peer_error(&source) {
        return ClientError::Untrusted { manager, source };
    }
    match alert(&source) {
        Some(source) => ClientError::TurnedAway { manager, source },
        None => ClientError::Connect { manager, source },
    }
}

fn alert(error: &io::Error) -> Option<rustls::Error> {
    let error: &rustls::Error = error.get_ref()?.downcast_ref()?;
    matches!(error, rustls::Error::AlertReceived(_)).then(|| error.clone())
}
