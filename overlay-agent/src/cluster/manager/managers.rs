//! What the service asks of a manager.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{
    Answer, Ask, Manager, TrustError, begin, refused,
    trust::{self, Issued},
    undecided,
};
use crate::{
    cluster::{
        consensus::{Call, ReplicatedLog as _},
        pki::JoinTokens,
        service::{
            Caller, Changes, ErrorKind, Indexed, Joined, Joining, Managers, Privilege, RaftCall,
            Renewed, ServiceError, Standing,
        },
        state::{Change, Command, Join, Reply, State, Times, Trust, ViewUpdate},
    },
    model::{NodeId, RequestId, Role, chain},
};

impl Manager {
    /// Has the managers agree on a change. Only the leader can.
    pub(super) async fn propose(
        &self,
        id: u128,
        change: Change,
    ) -> Result<(u64, Reply), ServiceError> {
        let command = Command::new(id, self.clock.now(), change);
        let (index, reply) = self
            .consensus
            .propose(command)
            .await
            .map_err(|error| undecided(&error))?;
        Ok((index, reply.map_err(|refusal| refused(&refusal))?))
    }

    /// Looks at what is known of certificates, as the leader knows it.
    async fn with_trust<R: Send>(
        &self,
        look: impl FnOnce((&Trust, Times)) -> Result<R, TrustError> + Send,
    ) -> Result<R, ServiceError> {
        let look = |state: &State| Some(look((state.trust()?, state.times())));
        let looked = self.consensus.read(look).await;
        match looked.map_err(|error| undecided(&error))? {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => Err(unusable(&error)),
            None => Err(ServiceError::unavailable(
                "this manager has not heard of its cluster yet",
            )),
        }
    }

    /// The join tokens, as far as this manager knows.
    pub fn join_tokens(&self) -> Option<JoinTokens> {
        let look = |state: &State| trust::tokens(state.trust()?).ok();
        self.consensus.with_state(look)
    }

    /// The certificate that nodes trust (PEM), when it ends (seconds since 1970), and which nodes have
    /// none of its authority.
    pub fn root(&self) -> Option<(String, u64, Vec<NodeId>)> {
        self.consensus.with_state(|state| {
            let pem = state.trust()?.signer().certificate.clone();
            let expires = trust::expires(&pem)?;
            Some((pem, expires, state.uncertified().collect()))
        })
    }

    /// The change with which certificates get another authority, and the authority's name; `None` before
    /// this manager has heard of its cluster.
    pub fn next_authority(&self) -> Option<Result<(Change, String), TrustError>> {
        let now = self.clock.now();
        self.consensus
            .with_state(|state| Some(begin::next_authority(state.trust()?, now)))
    }

    /// Waits until this manager knows that the authority of this name signs.
    pub async fn heard_of_authority(&self, name: &str) {
        let mut applied = self.consensus.applied();
        let signs = |state: &State| {
            state
                .trust()
                .is_some_and(|trust| trust.signer().name == name)
        };
        while !self.consensus.with_state(signs) {
            if applied.changed().await.is_err() {
                return;
            }
        }
    }

    /// Seconds between two keys of the gossip.
    pub fn key_rotation(&self) -> u64 {
        let chosen = self.consensus.with_state(State::times).keys;
        chosen.unwrap_or(super::tend::SCHEDULE.rotate_keys)
    }

    /// Whether this manager votes and follows a leader. Another one may not have heard of a manager that is
    /// new, and must let that one bring it up to date.
    fn is_current(&self) -> bool {
        let own = self.consensus.id();
        let votes = self.consensus.voters().iter().any(|(id, _)| *id == own);
        votes && self.consensus.leader().borrow().is_some()
    }

    /// Where managers answer.
    fn addresses(state: &State) -> Vec<SocketAddr> {
        let nodes = state.nodes().filter(|node| node.is_present());
        let managers = nodes.filter(|node| node.member.role == Role::Manager);
        managers.map(|node| node.member.control).collect()
    }
}

impl Managers for Manager {
    type Request = Ask;
    type Reply = Answer;
    type Change = ViewUpdate;

    fn privilege(request: &Ask) -> Privilege {
        request.privilege()
    }

    fn standing(&self, node: NodeId) -> Standing {
        let is_current = self.is_current();
        self.consensus.with_state(|state| {
            if state.cluster_id().is_none() {
                return Standing::Unknown;
            }
            match state.node(node) {
                Some(record) if record.is_present() => Standing::Member(record.member.role),
                None if !is_current => Standing::Unheard,
                // One that is not there was removed: a manager that has not heard of a new one yet only
                // sends it to the next.
                Some(_) | None => Standing::Removed,
            }
        })
    }

    async fn tokens(&self) -> Result<JoinTokens, ServiceError> {
        self.with_trust(|(trust, _)| trust::tokens(trust)).await
    }

    async fn join(&self, host: Joining) -> Result<Joined, ServiceError> {
        let Joining {
            id,
            role,
            csr,
            host,
            from,
        } = host;
        // The same attempt makes the same node.
        let node = NodeId::from_random(id.bits());
        let now = self.clock.now();
        let issue = |known: (&Trust, Times)| trust::issue(known, &csr, node, role, now);
        // A request that makes no sense adds no node.
        self.with_trust(issue).await?;
        let seen = |address: SocketAddr| {
            if address.ip().is_unspecified() {
                SocketAddr::new(from.ip(), address.port())
            } else {
                address
            }
        };
        let data_path = if host.data_path.is_unspecified() {
            from.ip()
        } else {
            host.data_path
        };
        let join = Join {
            node,
            hostname: host.hostname,
            role,
            data_path,
            gossip: seen(host.gossip),
            control: seen(host.control),
            down: self.down(),
            availability: host.availability,
        };
        self.propose(id.bits(), Change::Join(Box::new(join)))
            .await?;
        // The authority may have changed meanwhile; from here on a change waits for this node.
        let Issued {
            certificate,
            bundle,
            authority,
        } = self.with_trust(issue).await?;
        self.report(node, authority).await?;
        Ok(Joined {
            node,
            certificate,
            bundle,
            managers: self.consensus.with_state(Self::addresses),
        })
    }

    async fn renew(&self, node: NodeId, csr: String) -> Result<Renewed, ServiceError> {
        let role = self
            .consensus
            .with_state(|state| state.node(node).map(|record| record.member.role));
        let role = role.ok_or_else(|| {
            ServiceError::new(ErrorKind::Forbidden, "this node was removed from the swarm")
        })?;
        let now = self.clock.now();
        // The node reports it when it has it.
        let issued = self.with_trust(|known| trust::issue(known, &csr, node, role, now));
        let Issued {
            certificate,
            bundle,
            authority: _,
        } = issued.await?;
        Ok(Renewed {
            certificate,
            bundle,
        })
    }

    async fn watch(
        &self,
        _node: NodeId,
        after: Option<u64>,
    ) -> Result<Changes<ViewUpdate>, ServiceError> {
        let consensus = self.consensus.clone();
        let applied = consensus.applied();
        let changes = stream::unfold(
            (consensus, applied, after.unwrap_or(0)),
            async |(consensus, mut applied, seen)| loop {
                applied.borrow_and_update();
                let news = consensus.with_state(|state| {
                    let index = state.view_index();
                    (index != seen).then(|| (index, state.update_since(seen)))
                });
                if let Some((index, change)) = news {
                    return Some((Indexed { index, change }, (consensus, applied, index)));
                }
                applied.changed().await.ok()?;
            },
        );
        Ok(changes.boxed())
    }

    async fn request(
        &self,
        caller: Caller,
        id: RequestId,
        request: Ask,
    ) -> Result<Answer, ServiceError> {
        let change = request.into_change(caller.node, self.down());
        let (index, reply) = self.propose(id.bits(), change).await?;
        Ok(Answer { index, reply })
    }

    async fn raft(&self, from: NodeId, call: RaftCall, body: Bytes) -> Result<Bytes, ServiceError> {
        let call = match call {
            RaftCall::Append => Call::Append,
            RaftCall::Vote => Call::Vote,
            RaftCall::Snapshot => Call::Snapshot,
        };
        let answered = self.consensus.receive(from, call, &body).await;
        let answer =
            answered.map_err(|error| ServiceError::new(ErrorKind::Conflict, error.to_string()))?;
        Ok(answer.into())
    }
}

impl Manager {
    /// Remembers which authority signed a new node's certificate.
    async fn report(&self, node: NodeId, authority: String) -> Result<(), ServiceError> {
        let change = Change::ReportCertificate { node, authority };
        self.propose(super::random_bits(), change).await?;
        Ok(())
    }
}

/// A request that makes no sense is not the manager's failure.
fn unusable(error: &TrustError) -> ServiceError {
    use crate::cluster::pki::IssueError;
    match error {
        TrustError::Issue(
            IssueError::NotARequest | IssueError::Request(_) | IssueError::OtherKey,
        ) => ServiceError::new(ErrorKind::Malformed, chain(error)),
        TrustError::Issue(
            IssueError::Key(_) | IssueError::Sign(_) | IssueError::NotAnAuthority,
        )
        | TrustError::Bundle(_)
        | TrustError::Token(_) => ServiceError::internal(error),
    }
}
