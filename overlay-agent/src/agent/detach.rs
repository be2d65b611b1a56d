//! Taking an endpoint away.

use std::sync::Arc;

use tracing::info;

use super::{
    directory::{Ambiguous, Directory},
    owner::Owner,
    store::StoreError,
    swarm::News,
};
use crate::{
    api::ApiError,
    control::{Plumbing as _, PortError},
    model::Attachment,
};

/// What could not be taken away of an endpoint. The rest was.
#[derive(Debug, thiserror::Error)]
pub(super) enum DetachError {
    /// A table, hook or device.
    #[error("could not disconnect it")]
    Port {
        /// Why.
        #[from]
        source: PortError,
    },
    /// Its file.
    #[error("could not forget it")]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
}

/// The endpoints that somebody means: by name or identifier, in one network or in all. At least one.
pub(super) fn find(
    directory: &Directory,
    reference: &str,
    network: Option<&str>,
) -> Result<Vec<Arc<Attachment>>, ApiError> {
    let found = directory.find(reference, network);
    let found = found.map_err(|Ambiguous| {
        ApiError::bad_request(format!(
            "more than one endpoint's identifier begins with {reference}"
        ))
        .with_help("give more of it, or the endpoint's name")
    })?;
    if found.is_empty() {
        let place = network
            .map(|network| format!(" in network {network}"))
            .unwrap_or_default();
        return Err(ApiError::not_found(format!(
            "there is no endpoint {reference} on this node{place}"
        ))
        .with_help("`overlay endpoint ls` lists them"));
    }
    Ok(found)
}

impl Owner {
    /// Takes endpoints away, by name or identifier, in one network or in all. One that cannot be taken
    /// away wholly does not keep the others.
    pub(super) fn detach(
        &mut self,
        reference: &str,
        network: Option<&str>,
    ) -> Result<Vec<Arc<Attachment>>, ApiError> {
        let found = find(&self.shared.directory(), reference, network)?;
        let mut outcome = Ok(());
        for attachment in &found {
            outcome = outcome.and(self.disconnect(attachment));
            info!(
                endpoint = attachment.name,
                network = attachment.network,
                "detached"
            );
        }
        outcome.map_err(|error| ApiError::internal(&error))?;
        Ok(found)
    }

    /// Takes away all of an endpoint that can be.
    pub(super) fn disconnect(&mut self, attachment: &Attachment) -> Result<(), DetachError> {
        let connection = self.reconciler.remove(attachment);
        let interface = &attachment.host_interface;
        let device = self
            .reconciler
            .plumbing()
            .remove(interface, attachment.host_ifindex);
        self.end_flows();
        let file = self.store.remove(&attachment.id);
        let gone = self.shared.directory_mut().remove(&attachment.id);
        if let Some(gone) = gone {
            self.tell(News::Detached(gone));
        }
        connection.and(device)?;
        Ok(file?)
    }
}
