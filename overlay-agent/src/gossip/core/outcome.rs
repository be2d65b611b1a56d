//! What the membership protocol wants done and has found out.

use std::time::Duration;

use super::identity::Life;
use crate::model::NodeId;

/// Something that the protocol wants done or has found out.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Send a packet of its own.
    Send(Life, Vec<u8>),
    /// Call it later.
    Start(foca::Timer<Life>, Duration),
    /// Declare a suspect failed later, if it is still suspect.
    Doubt(Life, u16, Duration),
    /// A node answers, for the first time or again.
    Up(NodeId),
    /// A node does not answer any more.
    Down(NodeId),
    /// A node runs anew, and was not missed meanwhile.
    Renewed(NodeId),
    /// This node has company, for the first time or after it was alone.
    Joined,
    /// Nobody answers this node.
    Alone,
    /// This node was declared down and is back under a new generation.
    Rejoined,
}

/// Collects what the protocol wants.
#[derive(Default)]
pub(super) struct Collected {
    /// In order.
    pub(super) outcomes: Vec<Outcome>,
}

impl foca::Runtime<Life> for &mut Collected {
    fn notify(&mut self, notification: foca::Notification<'_, Life>) {
        use foca::Notification as N;
        self.outcomes.push(match notification {
            N::MemberUp(life) => Outcome::Up(life.node),
            N::MemberDown(life) => Outcome::Down(life.node),
            N::Rename(_, life) => Outcome::Renewed(life.node),
            N::Active => Outcome::Joined,
            N::Idle | N::Defunct => Outcome::Alone,
            N::Rejoin(_) => Outcome::Rejoined,
        });
    }

    fn send_to(&mut self, to: Life, data: &[u8]) {
        self.outcomes.push(Outcome::Send(to, data.to_vec()));
    }

    fn submit_after(&mut self, event: foca::Timer<Life>, after: Duration) {
        self.outcomes.push(Outcome::Start(event, after));
    }
}
