//! Keys from the cluster's secret.

use ring::{
    aead::{AES_256_GCM, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};

use super::epoch::Epoch;
use crate::model::{KeyRing, NodeId};

/// The accepted generations of a cluster's secret, ready to derive keys from.
pub(super) struct Generations {
    /// Length and name of the cluster: part of every derivation.
    cluster: Vec<u8>,
    primary: u32,
    secrets: Vec<(u32, Prk)>,
}

impl Generations {
    pub(super) fn new(cluster: &str, ring: &KeyRing) -> Self {
        let mut named = (cluster.len() as u64).to_be_bytes().to_vec();
        named.extend_from_slice(cluster.as_bytes());
        let mut generations = Self {
            cluster: named,
            primary: 0,
            secrets: Vec::new(),
        };
        generations.replace(ring);
        generations
    }

    pub(super) fn replace(&mut self, ring: &KeyRing) {
        let salt = Salt::new(HKDF_SHA256, b"overlay gossip");
        self.primary = ring.primary;
        self.secrets = ring
            .keys
            .iter()
            .map(|key| (key.number, salt.extract(&key.secret)))
            .collect();
    }

    pub(super) fn primary(&self) -> u32 {
        self.primary
    }

    pub(super) fn accepts(&self, generation: u32) -> bool {
        self.secret(generation).is_some()
    }

    /// What one run of a sender seals its datagrams with. None unless the generation is accepted.
    pub(super) fn datagram_key(
        &self,
        generation: u32,
        sender: NodeId,
        epoch: Epoch,
    ) -> Option<LessSafeKey> {
        self.derive(
            generation,
            &[
                b"datagram",
                &generation.to_be_bytes(),
                &sender.bits().to_be_bytes(),
                &epoch.bits().to_be_bytes(),
            ],
        )
    }

    /// What each side of a stream seals with, the one that opened it first.
    pub(super) fn stream_keys(
        &self,
        generation: u32,
        hellos: [&[u8]; 2],
    ) -> Option<[LessSafeKey; 2]> {
        let [first, second] = hellos;
        let key = |side: &[u8]| self.derive(generation, &[b"stream", side, first, second]);
        Some([key(b"opener")?, key(b"answer")?])
    }

    fn derive(&self, generation: u32, context: &[&[u8]]) -> Option<LessSafeKey> {
        let mut info: Vec<&[u8]> = vec![&self.cluster];
        info.extend_from_slice(context);
        let okm = self.secret(generation)?.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(okm)))
    }

    fn secret(&self, generation: u32) -> Option<&Prk> {
        self.secrets
            .iter()
            .find(|(number, _)| *number == generation)
            .map(|(_, secret)| secret)
    }
}

/// The nonce of a key's n-th message.
pub(super) fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - size_of::<u64>()..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
