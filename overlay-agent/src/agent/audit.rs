//! Comparing the kernel with what it should hold, every so often and on request. The comparison runs
//! beside the owner, which goes on attaching; only what looks wrong is brought before it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    task,
};
use tracing::error;

use super::{owner::Command, shared::Shared, traffic::inspect};
use crate::{
    api::{
        ApiError,
        types::{self, AuditReport},
    },
    control::{Action, DriftKind, Expected, PortError, Repair, Survey},
    datapath::{self, map_name, program_name},
};

/// Why an audit came to no end.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuditError {
    /// The maps could not be opened.
    #[error("could not open the data plane")]
    Open {
        /// Why.
        #[from]
        source: datapath::Error,
    },
    /// Something could not be read or repaired.
    #[error("could not compare or repair")]
    Port {
        /// Why.
        #[from]
        source: PortError,
    },
    /// The agent is about to end.
    #[error("the agent is stopping")]
    Stopping,
}

/// Audits at this interval. Ends when the owner does.
pub(super) async fn audit_regularly(
    interval: Duration,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
) {
    loop {
        tokio::time::sleep(interval).await;
        match audit(&commands, &shared).await {
            Ok(_) => {}
            Err(AuditError::Stopping) => return,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(error, "the audit came to no end");
            }
        }
    }
}

/// Compares everything once and repairs what differs.
pub(super) async fn audit(
    commands: &mpsc::Sender<Command>,
    shared: &Arc<Shared>,
) -> Result<AuditReport, AuditError> {
    let started = Instant::now();
    let expected = ask(commands, Command::Expect).await?;
    let survey = match expected {
        Some(expected) => survey(Arc::clone(shared), expected).await?,
        None => Survey::default(),
    };
    let checked = survey.checked;
    let repairs = ask(commands, |answer| Command::Repair(survey, answer)).await??;
    Ok(AuditReport {
        checked,
        repaired: repairs.into_iter().map(told).collect(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Sends a command and waits for its answer.
pub(super) async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Result<T, AuditError> {
    let (answer, answered) = oneshot::channel();
    let sent = commands.send(command(answer)).await;
    sent.map_err(|_closed| AuditError::Stopping)?;
    answered.await.map_err(|_closed| AuditError::Stopping)
}

impl From<AuditError> for ApiError {
    fn from(error: AuditError) -> Self {
        Self::internal(&error)
    }
}

async fn survey(shared: Arc<Shared>, expected: Expected) -> Result<Survey, AuditError> {
    let look = move || {
        let inspector = inspect(&shared)?;
        Ok(Survey::take(&inspector, &expected)?)
    };
    task::spawn_blocking(look)
        .await
        .unwrap_or(Err(AuditError::Stopping))
}

fn told(repair: Repair) -> types::Repair {
    let kind = match repair.kind {
        DriftKind::Entry(table) => map_name(table),
        DriftKind::Hook(_) => "link",
        DriftKind::Tunnel => "vxlan",
        DriftKind::Gateway => "gateway",
        DriftKind::Rules => "nftables",
        DriftKind::Endpoint => "endpoint",
    };
    let action = match repair.action {
        Action::Added => "added",
        Action::Changed => "changed",
        Action::Removed => "removed",
    };
    let object = match repair.kind {
        DriftKind::Hook(program) => format!("{} at {}", program_name(program), repair.object),
        DriftKind::Entry(_)
        | DriftKind::Tunnel
        | DriftKind::Gateway
        | DriftKind::Rules
        | DriftKind::Endpoint => repair.object,
    };
    types::Repair {
        kind: kind.to_owned(),
        object,
        action: action.to_owned(),
    }
}
