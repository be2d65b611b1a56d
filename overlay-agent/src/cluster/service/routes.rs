//! From HTTP to the manager and back.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::{Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Caller, Counter, ErrorBody, ErrorKind, JoinRequest, Joined, Joining, Managers, Numbered, Peer,
    Privilege, RaftCall, RenewRequest, Renewed, Route, Service, ServiceError, TypedToken,
    authorisation::standing_for,
    authorise, effective_role,
    limits::longest_body,
    watch::{self, NDJSON},
};
use crate::model::{Role, chain};

pub(super) fn router<M: Managers>(service: Arc<Service<M>>, cancel: CancellationToken) -> Router {
    let raft = |call| post(move |state, peer, body| raft::<M>(call, state, peer, body));
    Router::new()
        .route("/v1/join", post(join::<M>))
        .route("/v1/renew", post(renew::<M>))
        .route("/v1/watch", get(watch::<M>))
        .route("/v1/request", post(request::<M>))
        .route(RaftCall::Append.path(), raft(RaftCall::Append))
        .route(RaftCall::Vote.path(), raft(RaftCall::Vote))
        .route(RaftCall::Snapshot.path(), raft(RaftCall::Snapshot))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(Extension(cancel))
        .with_state(service)
}

/// Answers with JSON, or with the refusal.
type Answer<T> = Result<Json<T>, ServiceError>;

/// Whoever has no token learns nothing here but where the leader is.
async fn join<M: Managers>(
    State(service): State<Arc<Service<M>>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Answer<Joined> {
    service.allow(&peer, Route::Join)?;
    let body = service.receive(body, Route::Join, None).await?;
    let role = service.role_by_token(&body).await?;
    let JoinRequest { id, csr, host, .. } = service.understand(&body)?;
    let joining = Joining {
        id,
        role,
        csr,
        host,
        from: peer.address,
    };
    let joined = service.managers.join(joining).await?;
    service.counters.count(Counter::Joined);
    info!(node = %joined.node, %role, "a host has joined");
    Ok(Json(joined))
}

async fn renew<M: Managers>(
    State(service): State<Arc<Service<M>>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Answer<Renewed> {
    let caller = service.node(&peer, Route::Renew)?;
    let body = service.receive(body, Route::Renew, None).await?;
    let RenewRequest { csr } = service.understand(&body)?;
    let renewed = service.managers.renew(caller.node, csr).await?;
    service.counters.count(Counter::Renewed);
    Ok(Json(renewed))
}

#[derive(Deserialize)]
struct WatchQuery {
    index: Option<u64>,
}

async fn watch<M: Managers>(
    State(service): State<Arc<Service<M>>>,
    Extension(peer): Extension<Peer>,
    Extension(cancel): Extension<CancellationToken>,
    query: Result<Query<WatchQuery>, QueryRejection>,
) -> Result<Response, ServiceError> {
    let caller = service.node(&peer, Route::Watch)?;
    let Query(WatchQuery { index }) = query.map_err(|rejection| {
        service.counters.count(Counter::Malformed);
        ServiceError::new(ErrorKind::Malformed, rejection.body_text())
    })?;
    let changes = service.managers.watch(caller.node, index).await?;
    let lines = watch::lines(Arc::clone(&service), peer, changes, cancel);
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

async fn request<M: Managers>(
    State(service): State<Arc<Service<M>>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Answer<impl Serialize> {
    // The least that a request needs, before its body is read.
    let route = Route::Request(Privilege::Node);
    service.node(&peer, route)?;
    let body = service.receive(body, route, None).await?;
    let Numbered { id, request } = service.understand::<Numbered<M::Request>>(&body)?;
    let caller = service.node(&peer, Route::Request(M::privilege(&request)))?;
    service
        .managers
        .request(caller, id, request)
        .await
        .map(Json)
}

async fn raft<M: Managers>(
    call: RaftCall,
    State(service): State<Arc<Service<M>>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Result<Bytes, ServiceError> {
    let caller = service.node(&peer, Route::Raft)?;
    let body = service.receive(body, Route::Raft, Some(call)).await?;
    service.managers.raft(caller.node, call, body).await
}

async fn no_such_path(uri: Uri) -> ServiceError {
    ServiceError::new(
        ErrorKind::NotFound,
        format!("this manager has no {}", uri.path()),
    )
    .with_help("use the same version of overlay on all nodes")
}

async fn no_such_method(method: Method, uri: Uri) -> ServiceError {
    ServiceError::new(
        ErrorKind::Malformed,
        format!("this manager does not take {method} for {}", uri.path()),
    )
    .with_help("use the same version of overlay on all nodes")
}

impl<M: Managers> Service<M> {
    /// The node that asks, if it may.
    pub(super) fn node(&self, peer: &Peer, route: Route) -> Result<Caller, ServiceError> {
        let role = self.allow(peer, route)?;
        let caller = peer.identity.zip(role).map(|(identity, role)| Caller {
            node: identity.node,
            role,
        });
        caller.ok_or_else(|| ServiceError::new(ErrorKind::Unauthenticated, "who is it?"))
    }

    /// The role of whoever asks, if it may.
    fn allow(&self, peer: &Peer, route: Route) -> Result<Option<Role>, ServiceError> {
        let role = match &peer.identity {
            None => None,
            Some(identity) => {
                identity.check(self.clock.now()).map_err(|error| {
                    self.counters.count(Counter::IdentityRefused);
                    ServiceError::new(ErrorKind::Unauthenticated, error.to_string())
                })?;
                let standing = standing_for(route, self.managers.standing(identity.node));
                let role = effective_role(identity.role, standing).inspect_err(|_removed| {
                    self.counters.count(Counter::RemovedNode);
                })?;
                Some(role)
            }
        };
        authorise(route, role).inspect_err(|_refusal| {
            self.counters.count(match role {
                None => Counter::IdentityRefused,
                Some(_) => Counter::RoleRefused,
            });
        })?;
        Ok(role)
    }

    async fn role_by_token(&self, body: &[u8]) -> Result<Role, ServiceError> {
        #[derive(Deserialize)]
        struct Presented {
            token: TypedToken,
        }
        let tokens = self.managers.tokens().await?;
        let Presented { token } = self.understand(body)?;
        let refused = |error: String| {
            self.counters.count(Counter::TokenRefused);
            ServiceError::new(ErrorKind::Unauthenticated, error)
        };
        let token = token.parse().map_err(|error| refused(error.to_string()))?;
        tokens
            .role_of(&token)
            .map_err(|error| refused(error.to_string()))
    }

    async fn receive(
        &self,
        body: Body,
        route: Route,
        call: Option<RaftCall>,
    ) -> Result<Bytes, ServiceError> {
        let longest = longest_body(route, call);
        let receiving = timeout(self.limits.body, Limited::new(body, longest).collect());
        match receiving.await {
            Ok(Ok(received)) => Ok(received.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                self.counters.count(Counter::TooLarge);
                Err(ServiceError::new(
                    ErrorKind::TooLarge,
                    format!("the request is longer than {longest} bytes"),
                ))
            }
            Ok(Err(error)) => {
                debug!(error = chain(&*error), "a request broke off");
                Err(ServiceError::new(
                    ErrorKind::Malformed,
                    "the request broke off",
                ))
            }
            Err(_elapsed) => {
                self.counters.count(Counter::TooSlow);
                Err(ServiceError::new(
                    ErrorKind::TooSlow,
                    "the request took too long to arrive",
                ))
            }
        }
    }

    fn understand<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ServiceError> {
        serde_json::from_slice(body).map_err(|error| {
            self.counters.count(Counter::Malformed);
            ServiceError::new(
                ErrorKind::Malformed,
                format!("the request is not understood: {error}"),
            )
            .with_help("use the same version of overlay on all nodes")
        })
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status());
        let body = Json(ErrorBody {
            error: self.error,
            help: self.help,
            leader: self.leader,
        });
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
    }
}
