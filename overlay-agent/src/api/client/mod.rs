//! Asks the agent.

mod cluster;
mod service;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{
    ApiError, ClientError, ErrorKind,
    connection::{Exchange, exchange},
    error::ErrorBody,
    event_lines, socket_path,
    types::{
        AttachRequest, AuditReport, Breadth, Check, EndpointInfo, Event, Explanation, NetworkInfo,
        Stats, Status,
    },
};

/// An audit of a million entries on a busy machine takes seconds; more means that the agent hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks the agent of one run directory; every request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    run_dir: PathBuf,
    socket: PathBuf,
    patience: Duration,
}

impl Client {
    /// A client of the agent with this run directory. Nothing is connected yet.
    pub fn new(run_dir: &Path) -> Self {
        Self {
            run_dir: run_dir.to_owned(),
            socket: socket_path(run_dir),
            patience: PATIENCE,
        }
    }

    /// The same client with another time to wait for an answer.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The agent and its data plane at a glance.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask(Method::GET, "/status".to_owned()).await
    }

    /// The endpoints of the node.
    pub async fn endpoints(&self) -> Result<Vec<EndpointInfo>, ClientError> {
        self.ask(Method::GET, "/endpoints".to_owned()).await
    }

    /// Makes an endpoint.
    pub async fn attach(&self, request: &AttachRequest) -> Result<EndpointInfo, ClientError> {
        self.post("/endpoints".to_owned(), request).await
    }

    /// Takes endpoints away and returns them.
    pub async fn detach(
        &self,
        name: &str,
        network: Option<&str>,
    ) -> Result<Vec<EndpointInfo>, ClientError> {
        let query = query([("network", network)]);
        self.ask(
            Method::DELETE,
            format!("/endpoints/{}{query}", escape(name)),
        )
        .await
    }

    /// Waits until tasks have no flows, or their time is over, and returns them.
    pub async fn drain(
        &self,
        name: &str,
        network: Option<&str>,
    ) -> Result<Vec<EndpointInfo>, ClientError> {
        let query = query([("network", network)]);
        self.ask(
            Method::POST,
            format!("/endpoints/{}/drain{query}", escape(name)),
        )
        .await
    }

    /// Every network, without containers and peers.
    pub async fn networks(&self) -> Result<Vec<NetworkInfo>, ClientError> {
        self.ask(Method::GET, "/networks".to_owned()).await
    }

    /// One network with its containers and peers.
    pub async fn network(&self, name: &str, breadth: Breadth) -> Result<NetworkInfo, ClientError> {
        let verbose = match breadth {
            Breadth::Node => None,
            Breadth::Cluster => Some("true"),
        };
        let query = query([("verbose", verbose)]);
        self.ask(Method::GET, format!("/networks/{}{query}", escape(name)))
            .await
    }

    /// Packets by walk, drops by reason.
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.ask(Method::GET, "/stats".to_owned()).await
    }

    /// Why a packet would arrive or not.
    pub async fn explain(
        &self,
        source: &str,
        destination: &str,
        network: Option<&str>,
    ) -> Result<Explanation, ClientError> {
        let query = query([
            ("source", Some(source)),
            ("destination", Some(destination)),
            ("network", network),
        ]);
        self.ask(Method::GET, format!("/explain{query}")).await
    }

    /// Everything that could keep the node from working.
    pub async fn doctor(&self) -> Result<Vec<Check>, ClientError> {
        self.ask(Method::GET, "/doctor".to_owned()).await
    }

    /// Compares kernel and desired state, and repairs.
    pub async fn audit(&self) -> Result<AuditReport, ClientError> {
        self.ask(Method::POST, "/audit".to_owned()).await
    }

    /// Sampled drops from now on; ends when the agent does.
    pub async fn events(
        &self,
    ) -> Result<impl Stream<Item = Result<Event, ClientError>> + use<>, ClientError> {
        let request = request(Method::GET, "/monitor", Bytes::new())?;
        let started = timeout(
            self.patience,
            exchange(&self.run_dir, &self.socket, request),
        );
        let exchange = started.await.map_err(|_elapsed| self.timed_out())??;
        if exchange.response.status() != StatusCode::OK {
            let read = timeout(self.patience, self.read(exchange));
            let (status, body) = read.await.map_err(|_elapsed| self.timed_out())??;
            return Err(refusal(status, &body).into());
        }
        Ok(event_lines::read(exchange, self.socket.clone()))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
    ) -> Result<T, ClientError> {
        self.send(method, path, Bytes::new()).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: String,
        request: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(request).map_err(|source| self.not_understood(source))?;
        self.send(Method::POST, path, body.into()).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let request = request(method, &path, body)?;
        let whole = async {
            let exchange = exchange(&self.run_dir, &self.socket, request).await?;
            self.read(exchange).await
        };
        let answered = timeout(self.patience, whole).await;
        let (status, body) = answered.map_err(|_elapsed| self.timed_out())??;
        if status == StatusCode::OK {
            serde_json::from_slice(&body).map_err(|source| self.not_understood(source))
        } else {
            Err(refusal(status, &body).into())
        }
    }

    async fn read(&self, exchange: Exchange) -> Result<(StatusCode, Bytes), ClientError> {
        let Exchange { response, .. } = exchange;
        let (head, body) = response.into_parts();
        let collected = body.collect().await;
        let collected = collected.map_err(|source| ClientError::Broken {
            socket: self.socket.clone(),
            source,
        })?;
        Ok((head.status, collected.to_bytes()))
    }

    fn timed_out(&self) -> ClientError {
        ClientError::TimedOut {
            socket: self.socket.clone(),
            patience: self.patience,
        }
    }

    fn not_understood(&self, source: serde_json::Error) -> ClientError {
        let socket = self.socket.clone();
        ClientError::NotUnderstood { socket, source }
    }
}

fn request(method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ClientError> {
    let built = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "overlay")
        .header("content-type", "application/json")
        .body(Full::new(body));
    built.map_err(|source| ClientError::Request { source })
}

/// What the agent says about a request that it did not fulfil.
fn refusal(status: StatusCode, body: &[u8]) -> ApiError {
    let kind = ErrorKind::from_status(status.as_u16());
    match serde_json::from_slice(body) {
        Ok(ErrorBody { error, help }) => ApiError { kind, error, help },
        Err(_not_json) => ApiError {
            kind,
            error: format!("the agent answered {status}"),
            help: None,
        },
    }
}

/// `?key=value&…` of those that have a value.
fn query<const N: usize>(pairs: [(&str, Option<&str>); N]) -> String {
    let given = pairs
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    let parts: Vec<String> = given
        .map(|(key, value)| format!("{key}={}", escape(value)))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("?{}", parts.join("&"))
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986, 2.3).
fn escape(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    let escaped: Vec<String> = text.bytes().map(one).collect();
    escaped.concat()
}
