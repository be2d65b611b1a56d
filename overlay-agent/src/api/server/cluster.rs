//! Requests about the cluster.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    routing::{get, post},
};
use serde::Serialize;

use super::{Answer, Server, read};
use crate::{
    api::{
        ApiError, Backend,
        types::{NodeRemove, SwarmLeave},
    },
    model::Role,
};

pub(super) fn routes<B: Backend>() -> Router<Server<B>> {
    Router::new()
        .route("/swarm/init", post(init::<B>))
        .route("/swarm/join", post(join::<B>))
        .route("/swarm/leave", post(leave::<B>))
        .route("/swarm/update", post(update::<B>))
        .route(
            "/swarm/join-token/{role}",
            get(join_way::<B>).post(rotate_join_token::<B>),
        )
        .route("/swarm/ca", get(root_ca::<B>).post(rotate_root_ca::<B>))
        .route(
            "/swarm/keys",
            get(gossip_keys::<B>).post(rotate_gossip_keys::<B>),
        )
        .route("/nodes", get(nodes::<B>))
        .route(
            "/nodes/{name}",
            get(node::<B>)
                .post(node_update::<B>)
                .delete(node_remove::<B>),
        )
        .route("/nodes/{name}/endpoints", get(node_endpoints::<B>))
        .route("/networks/{name}/endpoints", post(network_connect::<B>))
        .route("/prune", post(networks_prune::<B>))
}

async fn init<B: Backend>(State(server): State<Server<B>>, body: Bytes) -> Answer<impl Serialize> {
    let request = read(&body, "to make a swarm")?;
    server.backend.swarm_init(request).await.map(Json)
}

async fn join<B: Backend>(State(server): State<Server<B>>, body: Bytes) -> Answer<impl Serialize> {
    let request = read(&body, "to join a swarm")?;
    server.backend.swarm_join(request).await.map(Json)
}

async fn leave<B: Backend>(
    State(server): State<Server<B>>,
    query: Result<Query<SwarmLeave>, QueryRejection>,
) -> Answer<impl Serialize> {
    let Query(request) = query?;
    server.backend.swarm_leave(request).await.map(Json)
}

async fn update<B: Backend>(
    State(server): State<Server<B>>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to update the swarm")?;
    server.backend.swarm_update(request).await.map(Json)
}

async fn join_way<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.join_way(role(&name)?).await.map(Json)
}

async fn rotate_join_token<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    let rotated = server.backend.rotate_join_token(role(&name)?);
    rotated.await.map(Json)
}

fn role(name: &str) -> Result<Role, ApiError> {
    match name {
        "worker" => Ok(Role::Worker),
        "manager" => Ok(Role::Manager),
        _ => Err(ApiError::bad_request(format!(
            "`{name}` is no role; there are worker and manager"
        ))),
    }
}

async fn root_ca<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.root_ca().await.map(Json)
}

async fn rotate_root_ca<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.rotate_root_ca().await.map(Json)
}

async fn gossip_keys<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.gossip_keys().await.map(Json)
}

async fn rotate_gossip_keys<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.rotate_gossip_keys().await.map(Json)
}

async fn nodes<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.nodes().await.map(Json)
}

async fn node<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.node(name).await.map(Json)
}

async fn node_endpoints<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.node_endpoints(name).await.map(Json)
}

async fn node_update<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to update a node")?;
    server.backend.node_update(name, request).await.map(Json)
}

async fn node_remove<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
    query: Result<Query<NodeRemove>, QueryRejection>,
) -> Answer<impl Serialize> {
    let Query(request) = query?;
    server.backend.node_remove(name, request).await.map(Json)
}

pub(super) async fn network_create<B: Backend>(
    State(server): State<Server<B>>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to make a network")?;
    server.backend.network_create(request).await.map(Json)
}

pub(super) async fn network_remove<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.network_remove(name).await.map(Json)
}

async fn network_connect<B: Backend>(
    State(server): State<Server<B>>,
    Path(network): Path<String>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to connect an endpoint")?;
    let connected = server.backend.network_connect(network, request);
    connected.await.map(Json)
}

async fn networks_prune<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.networks_prune().await.map(Json)
}
