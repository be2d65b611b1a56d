//! Who signs certificates, and the secrets in join tokens.

use serde::{Deserialize, Serialize};

use super::{Authority, Cluster, Init, Refusal, Secret};
use crate::model::{NodeId, Role, Roots};

/// What the managers know about certificates and tokens.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    authority: Authority,
    next: Option<Authority>,
    bundle: String,
    worker_token: Secret<String>,
    manager_token: Secret<String>,
}

impl Trust {
    pub(super) fn new(init: &Init) -> Result<Self, Refusal> {
        let trust = Self {
            authority: init.authority.clone(),
            next: None,
            bundle: init.authority.certificate.clone(),
            worker_token: init.worker_token.clone(),
            manager_token: init.manager_token.clone(),
        };
        trust.check_token(Role::Worker, &init.worker_token)?;
        Ok(trust)
    }

    /// Who signed before a rotation began.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Who takes its place, while a rotation is under way.
    pub fn next(&self) -> Option<&Authority> {
        self.next.as_ref()
    }

    /// Who signs new certificates.
    pub fn signer(&self) -> &Authority {
        self.next.as_ref().unwrap_or(&self.authority)
    }

    /// The certificates that are trusted, PEM.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// The secret of the token that gives a role.
    pub fn token(&self, role: Role) -> &Secret<String> {
        match role {
            Role::Worker => &self.worker_token,
            Role::Manager => &self.manager_token,
        }
    }

    /// What all nodes know of it.
    pub(super) fn roots(&self) -> Roots {
        Roots {
            signer: self.signer().name.clone(),
            bundle: self.bundle.clone(),
        }
    }

    pub(super) fn rotate_token(
        &mut self,
        role: Role,
        secret: Secret<String>,
    ) -> Result<(), Refusal> {
        self.check_token(role, &secret)?;
        match role {
            Role::Worker => self.worker_token = secret,
            Role::Manager => self.manager_token = secret,
        }
        Ok(())
    }

    pub(super) fn start_rotation(
        &mut self,
        next: Authority,
        bundle: String,
    ) -> Result<(), Refusal> {
        if next.name.is_empty() || next.name == self.authority.name {
            return Err(Refusal::SameAuthority);
        }
        // Without one of them, nodes that have certificates of it would be cut off.
        if !sections(&self.bundle).all(|section| bundle.contains(section)) {
            return Err(Refusal::AuthorityOvertaken);
        }
        self.next = Some(next);
        self.bundle = bundle;
        Ok(())
    }

    /// With equal secrets a worker's token would make managers.
    fn check_token(&self, role: Role, secret: &Secret<String>) -> Result<(), Refusal> {
        let other = match role {
            Role::Worker => &self.manager_token,
            Role::Manager => &self.worker_token,
        };
        let is_empty = secret.expose().is_empty() || other.expose().is_empty();
        if is_empty || secret == other {
            let role = role.to_string();
            return Err(Refusal::WeakToken { role });
        }
        Ok(())
    }
}

/// The certificates of a PEM text.
fn sections(pem: &str) -> impl Iterator<Item = &str> {
    pem.split_inclusive("-----END CERTIFICATE-----")
        .map(str::trim)
        .filter(|section| !section.is_empty())
}

impl Cluster {
    /// Nodes whose certificate is not of the authority that signs now, or was never reported.
    pub(super) fn uncertified(&self) -> impl Iterator<Item = NodeId> {
        let signer = self.trust.signer().name.as_str();
        let present = self
            .members
            .iter()
            .filter(|(_, record)| record.is_present());
        present
            .filter(move |(_, record)| record.certified_by.as_deref() != Some(signer))
            .map(|(node, _)| *node)
    }

    pub(super) fn report_certificate(
        &mut self,
        node: NodeId,
        authority: String,
    ) -> Result<(), Refusal> {
        self.record_mut(node)?.certified_by = Some(authority);
        Ok(())
    }

    pub(super) fn finish_authority_rotation(&mut self, force: bool) -> Result<(), Refusal> {
        let Some(next) = self.trust.next.clone() else {
            return Err(Refusal::NoAuthorityRotation);
        };
        let mut waiting = self.uncertified();
        if let Some(node) = waiting.next().filter(|_| !force) {
            let count = 1 + waiting.count();
            return Err(Refusal::AuthorityRotationUnfinished { count, node });
        }
        drop(waiting);
        self.trust.bundle.clone_from(&next.certificate);
        self.trust.authority = next;
        self.trust.next = None;
        Ok(())
    }
}
