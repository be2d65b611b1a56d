//! From HTTP to the backend and back.

mod cluster;
mod service;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::{ApiError, Backend, Listener, error::ErrorBody, types::Breadth};

/// How long running requests may take after the agent was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// One event on a line.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Answers requests until `cancel`; then no new ones are taken, running ones have five seconds, and
/// streams end at once.
///
/// # Errors
/// The socket failed; requests are no longer answered.
pub async fn serve(
    listener: Listener,
    backend: Arc<impl Backend>,
    cancel: CancellationToken,
) -> io::Result<()> {
    serve_with(listener, backend, cancel, GRACE).await
}

pub(super) async fn serve_with(
    listener: Listener,
    backend: Arc<impl Backend>,
    cancel: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    let Listener { inner, claim } = listener;
    let app = router(Server {
        backend,
        cancel: cancel.clone(),
    });
    let serving = axum::serve(inner, app).with_graceful_shutdown(cancel.clone().cancelled_owned());
    let out_of_patience = async {
        cancel.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    let served = tokio::select! {
        served = serving => served,
        () = out_of_patience => Ok(()),
    };
    // Only now may another agent take over: running requests are done.
    drop(claim);
    served
}

struct Server<B> {
    backend: Arc<B>,
    cancel: CancellationToken,
}

impl<B> Clone for Server<B> {
    fn clone(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            cancel: self.cancel.clone(),
        }
    }
}

/// Answers with JSON, or with the refusal.
type Answer<T> = Result<Json<T>, ApiError>;

fn router<B: Backend>(server: Server<B>) -> Router {
    Router::new()
        .route("/status", get(status::<B>))
        .route("/endpoints", get(endpoints::<B>).post(attach::<B>))
        .route("/endpoints/{name}", delete(detach::<B>))
        .route("/endpoints/{name}/drain", post(drain::<B>))
        .route(
            "/networks",
            get(networks::<B>).post(cluster::network_create::<B>),
        )
        .route(
            "/networks/{name}",
            get(network::<B>).delete(cluster::network_remove::<B>),
        )
        .route("/stats", get(stats::<B>))
        .route("/monitor", get(monitor::<B>))
        .route("/explain", get(explain::<B>))
        .route("/doctor", get(doctor::<B>))
        .route("/audit", post(audit::<B>))
        .merge(cluster::routes())
        .merge(service::routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(server)
}

async fn status<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.status().await.map(Json)
}

async fn endpoints<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.endpoints().await.map(Json)
}

async fn attach<B: Backend>(
    State(server): State<Server<B>>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to attach")?;
    server.backend.attach(request).await.map(Json)
}

/// The body of a request; `wish` says what for.
fn read<T: DeserializeOwned>(body: &[u8], wish: &str) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!("the request {wish} is not understood: {error}"))
            .with_help("use an `overlay` of the same version as the agent")
    })
}

#[derive(Deserialize)]
struct DetachQuery {
    network: Option<String>,
}

async fn detach<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
    query: Result<Query<DetachQuery>, QueryRejection>,
) -> Answer<impl Serialize> {
    let Query(DetachQuery { network }) = query?;
    server.backend.detach(name, network).await.map(Json)
}

async fn drain<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
    query: Result<Query<DetachQuery>, QueryRejection>,
) -> Answer<impl Serialize> {
    let Query(DetachQuery { network }) = query?;
    server.backend.drain(name, network).await.map(Json)
}

async fn networks<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.networks().await.map(Json)
}

#[derive(Deserialize)]
struct NetworkQuery {
    #[serde(default)]
    verbose: bool,
}

async fn network<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
    query: Result<Query<NetworkQuery>, QueryRejection>,
) -> Answer<impl Serialize> {
    let Query(NetworkQuery { verbose }) = query?;
    let breadth = if verbose {
        Breadth::Cluster
    } else {
        Breadth::Node
    };
    server.backend.network(name, breadth).await.map(Json)
}

async fn stats<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.stats().await.map(Json)
}

/// One JSON document on a line for each event, until the client goes or the agent stops.
async fn monitor<B: Backend>(State(server): State<Server<B>>) -> Response {
    let lines = server.backend.events().map(|event| {
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(line)
    });
    let until_stopped = lines.take_until(server.cancel.cancelled_owned());
    let body = Body::from_stream(until_stopped);
    ([(CONTENT_TYPE, NDJSON)], body).into_response()
}

#[derive(Deserialize)]
struct ExplainQuery {
    source: String,
    destination: String,
    network: Option<String>,
}

async fn explain<B: Backend>(
    State(server): State<Server<B>>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Answer<impl Serialize> {
    let Query(ExplainQuery {
        source,
        destination,
        network,
    }) = query?;
    let explained = server.backend.explain(source, destination, network);
    explained.await.map(Json)
}

async fn doctor<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.doctor().await.map(Json)
}

async fn audit<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.audit().await.map(Json)
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::not_found(format!("the agent has no {}", uri.path()))
        .with_help("use an `overlay` of the same version as the agent")
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::bad_request(format!(
        "the agent does not take {method} for {}",
        uri.path()
    ))
    .with_help("use an `overlay` of the same version as the agent")
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status());
        let body = Json(ErrorBody {
            error: self.error,
            help: self.help,
        });
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
    }
}
