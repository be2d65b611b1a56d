//! What travels between commands and the agent, one noun per file. Field names are the JSON keys.

mod audit;
mod check;
mod endpoint;
mod event;
mod explanation;
mod network;
mod stats;
mod status;

pub use audit::{AuditReport, Repair};
pub use check::{Check, CheckVerdict};
pub use endpoint::{AttachRequest, EndpointInfo, EndpointState};
pub use event::Event;
pub use explanation::{Explanation, Step, StepVerdict};
pub use network::{NetworkContainer, NetworkInfo, NetworkPeer};
pub use stats::{DropCount, Stats, WalkCount};
pub use status::{AttachKind, AuditSummary, MapUse, MissingFeature, Mode, Status};
