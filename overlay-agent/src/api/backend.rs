//! What the agent does when it is asked.

use futures_util::Stream;

use super::{
    ApiError, ClusterBackend, ServiceBackend,
    types::{
        AttachRequest, AuditReport, Breadth, Check, EndpointInfo, Event, Explanation, NetworkInfo,
        Stats, Status,
    },
};

/// One method for each verb of the API; the server calls them concurrently.
pub trait Backend: ClusterBackend + ServiceBackend {
    /// The agent and its data plane at a glance.
    fn status(&self) -> impl Future<Output = Result<Status, ApiError>> + Send;

    /// The endpoints of this node, sorted by network and name.
    fn endpoints(&self) -> impl Future<Output = Result<Vec<EndpointInfo>, ApiError>> + Send;

    /// Makes an endpoint. Nothing is left half-made when it fails. A network of the cluster that is not
    /// attachable refuses it (`refusals::not_attachable`), except for a task.
    fn attach(
        &self,
        request: AttachRequest,
    ) -> impl Future<Output = Result<EndpointInfo, ApiError>> + Send;

    /// Takes the endpoints called `name` (or with that identifier, or a unique beginning of it) away,
    /// in one network or in all, and returns them. That there was none is `NotFound`.
    fn detach(
        &self,
        name: String,
        network: Option<String>,
    ) -> impl Future<Output = Result<Vec<EndpointInfo>, ApiError>> + Send;

    /// Has the tasks among these endpoints, found as by [`Self::detach`], get no new flows, and returns when
    /// the old ones have ended or their time is over. They are still there then. That none was found is
    /// `NotFound`.
    fn drain(
        &self,
        name: String,
        network: Option<String>,
    ) -> impl Future<Output = Result<Vec<EndpointInfo>, ApiError>> + Send;

    /// Every network, sorted by name, without containers and peers.
    fn networks(&self) -> impl Future<Output = Result<Vec<NetworkInfo>, ApiError>> + Send;

    /// One network by name, identifier or a unique beginning of that, with its peers and its
    /// containers on this node or on all.
    fn network(
        &self,
        name: String,
        breadth: Breadth,
    ) -> impl Future<Output = Result<NetworkInfo, ApiError>> + Send;

    /// Packets by walk and drops by reason since the maps were made.
    fn stats(&self) -> impl Future<Output = Result<Stats, ApiError>> + Send;

    /// Sampled drops from now on. Ends when the agent does.
    fn events(&self) -> impl Stream<Item = Event> + Send + use<Self>;

    /// Would a packet from `source` to `destination` arrive? Both are addresses or names of
    /// endpoints; `network` decides where they are in more than one.
    fn explain(
        &self,
        source: String,
        destination: String,
        network: Option<String>,
    ) -> impl Future<Output = Result<Explanation, ApiError>> + Send;

    /// Everything that could keep this node from working, each with a verdict.
    fn doctor(&self) -> impl Future<Output = Result<Vec<Check>, ApiError>> + Send;

    /// Compares kernel and desired state now, and repairs.
    fn audit(&self) -> impl Future<Output = Result<AuditReport, ApiError>> + Send;
}
