//! Datagrams of the others.
//!
//! What is cheap to check is checked first, and nothing is remembered about a datagram that was not
//! authentic: forged headers evict nothing and cost one derivation at most.

use std::collections::{HashMap, HashSet};

use ring::aead::{Aad, LessSafeKey};
use zerocopy::FromBytes;

use super::{
    epoch::Epoch,
    generations::{Generations, nonce},
    header::{HEADER, Header, VERSION},
    refusal::Refusal,
    window::Window,
};
use crate::model::NodeId;

/// What is known of each member: one entry for each, at most one key for each accepted generation.
pub(super) struct Opener {
    own: NodeId,
    members: HashMap<NodeId, Option<Run>>,
}

/// The latest authentic run of a member.
struct Run {
    epoch: Epoch,
    window: Window,
    keys: Vec<(u32, LessSafeKey)>,
}

impl Opener {
    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            members: HashMap::new(),
        }
    }

    /// Forgets who is no longer in the set, and knows who is new in it.
    pub(super) fn set_members(&mut self, members: &HashSet<NodeId>) {
        self.members.retain(|member, _| members.contains(member));
        let mut members: Vec<NodeId> = members.iter().copied().collect();
        members.retain(|member| *member != self.own);
        for member in members {
            self.members.entry(member).or_default();
        }
    }

    /// Forgets keys of generations that are no longer accepted.
    pub(super) fn forget(&mut self, generations: &Generations) {
        self.members.retain(|_, run| {
            if let Some(run) = run {
                run.keys.retain(|(number, _)| generations.accepts(*number));
            }
            true
        });
    }

    /// Whether somebody else is a member.
    pub(super) fn check_sender(&self, sender: NodeId) -> Result<(), Refusal> {
        if sender == self.own {
            return Err(Refusal::Reflected);
        }
        if self.members.contains_key(&sender) {
            Ok(())
        } else {
            Err(Refusal::UnknownSender)
        }
    }

    /// The latest run of a member that has been heard of.
    pub(super) fn latest(&self, member: NodeId) -> Option<Epoch> {
        self.members.get(&member)?.as_ref().map(|run| run.epoch)
    }

    /// A member has proved to be in this run and to have sent so many datagrams. Closes the door
    /// to what was recorded before this node began to listen.
    pub(super) fn met(&mut self, member: NodeId, epoch: Epoch, counter: u64) {
        if let Some(run) = self.members.get_mut(&member)
            && run.as_ref().is_none_or(|run| run.epoch < epoch)
        {
            *run = Some(Run {
                epoch,
                window: Window::above(counter),
                keys: Vec::new(),
            });
        }
    }

    /// Opens a datagram in place.
    pub(super) fn open<'d>(
        &mut self,
        datagram: &'d mut [u8],
        generations: &Generations,
    ) -> Result<(NodeId, &'d [u8]), Refusal> {
        if datagram.len() > super::DATAGRAM {
            return Err(Refusal::TooBig);
        }
        if datagram.len() < super::OVERHEAD {
            return Err(Refusal::Garbage);
        }
        let Ok((header, _)) = Header::read_from_prefix(datagram) else {
            return Err(Refusal::Garbage);
        };
        if header.version != VERSION {
            return Err(Refusal::Garbage);
        }
        let sender = header.sender();
        self.check_sender(sender)?;
        if !generations.accepts(header.generation()) {
            return Err(Refusal::UnknownKey);
        }
        let known = self.members.entry(sender).or_default();
        let sealed = &mut datagram[HEADER..];
        let plain = match known {
            Some(run) if header.epoch() < run.epoch => return Err(Refusal::OldEpoch),
            Some(run) if header.epoch() == run.epoch => {
                run.open(self.own, &header, sealed, generations)?
            }
            Some(_) | None => {
                let mut run = Run::new(header.epoch());
                let plain = run.open(self.own, &header, sealed, generations)?;
                *known = Some(run);
                plain
            }
        };
        Ok((sender, plain))
    }
}

impl Run {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            window: Window::above(0),
            keys: Vec::new(),
        }
    }

    fn open<'d>(
        &mut self,
        own: NodeId,
        header: &Header,
        sealed: &'d mut [u8],
        generations: &Generations,
    ) -> Result<&'d [u8], Refusal> {
        if !self.window.is_new(header.counter()) {
            return Err(Refusal::Replay);
        }
        let generation = header.generation();
        let cached = self.keys.iter().find(|(number, _)| *number == generation);
        let derived = match cached {
            Some(_) => None,
            None => Some(
                generations
                    .datagram_key(generation, header.sender(), self.epoch)
                    .ok_or(Refusal::UnknownKey)?,
            ),
        };
        let key = cached.map(|(_, key)| key).or(derived.as_ref());
        let plain = key
            .ok_or(Refusal::UnknownKey)?
            .open_in_place(
                nonce(header.counter()),
                Aad::from(header.authenticated(own)),
                sealed,
            )
            .map_err(|_unspecified| Refusal::BadTag)?;
        self.window.take(header.counter());
        self.keys.extend(derived.map(|key| (generation, key)));
        Ok(plain)
    }
}
