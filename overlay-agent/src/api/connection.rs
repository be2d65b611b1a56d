//! One HTTP exchange over the agent's socket.

use std::{io, path::Path};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, task::JoinSet};

use super::ClientError;

/// A response and the connection that its body still comes from.
pub(super) struct Exchange {
    pub(super) response: Response<Incoming>,
    /// Dropped, it closes the connection.
    _connection: JoinSet<()>,
}

/// Sends `request` on a connection of its own and waits for the head of the response.
pub(super) async fn exchange(
    run_dir: &Path,
    socket: &Path,
    request: Request<Full<Bytes>>,
) -> Result<Exchange, ClientError> {
    let stream = UnixStream::connect(socket).await;
    let stream = stream.map_err(|source| not_connected(run_dir, socket, source))?;
    let broken = |source| ClientError::Broken {
        socket: socket.to_owned(),
        source,
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let mut running = JoinSet::new();
    running.spawn(async move {
        if let Err(error) = connection.await {
            // Whoever reads the response is told as well.
            tracing::debug!(%error, "the connection to the agent broke");
        }
    });
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok(Exchange {
        response,
        _connection: running,
    })
}

fn not_connected(run_dir: &Path, socket: &Path, source: io::Error) -> ClientError {
    let (run_dir, socket) = (run_dir.to_owned(), socket.to_owned());
    let kind = source.kind();
    if matches!(
        kind,
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    ) {
        ClientError::NotRunning {
            run_dir,
            socket,
            source,
        }
    } else if kind == io::ErrorKind::PermissionDenied {
        ClientError::NotAllowed { socket, source }
    } else {
        ClientError::Connect { socket, source }
    }
}
