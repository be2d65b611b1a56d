//! What a manager's answer means.

use std::{error::Error, net::SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::StatusCode;
use serde::de::DeserializeOwned;

use super::{
    ClientError,
    connection::{Connection, Exchange, broken},
};
use crate::cluster::service::{ErrorBody, ErrorKind, ServiceError};

/// Answers of consensus are short, and so are all others.
const LONGEST: usize = 16 << 20;

/// The whole body, and the connection if it can be used again.
pub(super) async fn receive(
    manager: SocketAddr,
    exchange: Exchange,
) -> Result<(Bytes, Option<Connection>), ClientError> {
    let Exchange {
        response,
        mut connection,
    } = exchange;
    let received = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = received.map_err(|error| unreadable(manager, error))?;
    let is_usable = connection.is_usable().await;
    Ok((body.to_bytes(), is_usable.then_some(connection)))
}

/// The JSON of an answer.
pub(super) fn understand<T: DeserializeOwned>(
    manager: SocketAddr,
    body: &[u8],
) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|source| ClientError::NotUnderstood { manager, source })
}

/// What a status other than 200 means.
pub(super) fn refusal(manager: SocketAddr, status: StatusCode, body: &[u8]) -> ClientError {
    let kind = ErrorKind::from_status(status.as_u16());
    let source = match serde_json::from_slice(body) {
        Ok(ErrorBody {
            error,
            help,
            leader,
        }) => ServiceError {
            kind,
            error,
            help,
            leader,
        },
        Err(_not_ours) => ServiceError::new(kind, format!("the manager answered {status}")),
    };
    ClientError::Refused { manager, source }
}

fn unreadable(manager: SocketAddr, error: Box<dyn Error + Send + Sync>) -> ClientError {
    match error.downcast::<hyper::Error>() {
        Ok(source) => broken(manager, *source),
        Err(error) if error.is::<LengthLimitError>() => ClientError::TooLong { manager },
        Err(_other) => ClientError::TimedOut { manager },
    }
}
