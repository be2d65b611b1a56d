//! Requests about services.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    routing::get,
};
use serde::Serialize;

use super::{Answer, Server, read};
use crate::api::Backend;

pub(super) fn routes<B: Backend>() -> Router<Server<B>> {
    Router::new()
        .route("/services", get(services::<B>).post(service_create::<B>))
        .route(
            "/services/{name}",
            get(service::<B>)
                .post(service_update::<B>)
                .delete(service_remove::<B>),
        )
        .route(
            "/services/{name}/tasks",
            get(service_tasks::<B>).post(task_attach::<B>),
        )
}

async fn services<B: Backend>(State(server): State<Server<B>>) -> Answer<impl Serialize> {
    server.backend.services().await.map(Json)
}

async fn service<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.service(name).await.map(Json)
}

async fn service_create<B: Backend>(
    State(server): State<Server<B>>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to make a service")?;
    server.backend.service_create(request).await.map(Json)
}

async fn service_update<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to update a service")?;
    server.backend.service_update(name, request).await.map(Json)
}

async fn service_remove<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.service_remove(name).await.map(Json)
}

async fn service_tasks<B: Backend>(
    State(server): State<Server<B>>,
    Path(name): Path<String>,
) -> Answer<impl Serialize> {
    server.backend.service_tasks(name).await.map(Json)
}

async fn task_attach<B: Backend>(
    State(server): State<Server<B>>,
    Path(service): Path<String>,
    body: Bytes,
) -> Answer<impl Serialize> {
    let request = read(&body, "to attach a task")?;
    server.backend.task_attach(service, request).await.map(Json)
}
