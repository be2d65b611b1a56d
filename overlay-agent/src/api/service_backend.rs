//! What the agent does about services when it is asked.
//!
//! Every method but `task_attach` is for managers only, and refuses like those of
//! [`ClusterBackend`](super::ClusterBackend).

use super::{
    ApiError,
    types::{
        EndpointInfo, ServiceCreate, ServiceCreated, ServiceInfo, ServiceTask, ServiceUpdate,
        TaskAttach,
    },
};

/// One method for each verb of `service`; the server calls them concurrently.
///
/// A service is named by its name, its identifier or a unique beginning of that.
pub trait ServiceBackend: Send + Sync + 'static {
    /// Every service, sorted by name.
    fn services(&self) -> impl Future<Output = Result<Vec<ServiceInfo>, ApiError>> + Send;

    /// One service.
    fn service(&self, name: String) -> impl Future<Output = Result<ServiceInfo, ApiError>> + Send;

    /// Makes a service.
    fn service_create(
        &self,
        request: ServiceCreate,
    ) -> impl Future<Output = Result<ServiceCreated, ApiError>> + Send;

    /// Changes a service and returns it.
    fn service_update(
        &self,
        name: String,
        request: ServiceUpdate,
    ) -> impl Future<Output = Result<ServiceInfo, ApiError>> + Send;

    /// Takes a service away and returns it as it was. Its tasks lose their endpoints.
    fn service_remove(
        &self,
        name: String,
    ) -> impl Future<Output = Result<ServiceInfo, ApiError>> + Send;

    /// The tasks of a service, sorted by name and node.
    fn service_tasks(
        &self,
        name: String,
    ) -> impl Future<Output = Result<Vec<ServiceTask>, ApiError>> + Send;

    /// Makes a task on this node: an endpoint in each network of the service, all of them or none. Any
    /// node can.
    fn task_attach(
        &self,
        service: String,
        request: TaskAttach,
    ) -> impl Future<Output = Result<Vec<EndpointInfo>, ApiError>> + Send;
}
