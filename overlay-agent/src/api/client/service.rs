//! Questions about services.

use hyper::Method;

use super::{Client, escape};
use crate::api::{
    ClientError,
    types::{
        EndpointInfo, ServiceCreate, ServiceCreated, ServiceInfo, ServiceTask, ServiceUpdate,
        TaskAttach,
    },
};

impl Client {
    /// Every service.
    pub async fn services(&self) -> Result<Vec<ServiceInfo>, ClientError> {
        self.ask(Method::GET, "/services".to_owned()).await
    }

    /// One service.
    pub async fn service(&self, name: &str) -> Result<ServiceInfo, ClientError> {
        self.ask(Method::GET, format!("/services/{}", escape(name)))
            .await
    }

    /// Makes a service.
    pub async fn service_create(
        &self,
        request: &ServiceCreate,
    ) -> Result<ServiceCreated, ClientError> {
        self.post("/services".to_owned(), request).await
    }

    /// Changes a service.
    pub async fn service_update(
        &self,
        name: &str,
        request: &ServiceUpdate,
    ) -> Result<ServiceInfo, ClientError> {
        self.post(format!("/services/{}", escape(name)), request)
            .await
    }

    /// Takes a service away.
    pub async fn service_remove(&self, name: &str) -> Result<ServiceInfo, ClientError> {
        self.ask(Method::DELETE, format!("/services/{}", escape(name)))
            .await
    }

    /// The tasks of a service.
    pub async fn service_tasks(&self, name: &str) -> Result<Vec<ServiceTask>, ClientError> {
        self.ask(Method::GET, format!("/services/{}/tasks", escape(name)))
            .await
    }

    /// Makes a task on this node.
    pub async fn task_attach(
        &self,
        service: &str,
        request: &TaskAttach,
    ) -> Result<Vec<EndpointInfo>, ClientError> {
        self.post(format!("/services/{}/tasks", escape(service)), request)
            .await
    }
}
