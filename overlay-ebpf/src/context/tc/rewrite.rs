//! Reading and rewriting single fields, wherever they are in the packet.

use aya_ebpf::{
    bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR},
    helpers::{bpf_l3_csum_replace, bpf_l4_csum_replace, bpf_skb_load_bytes},
};
use overlay_common::reason::Reason;
use overlay_ebpf::frame::Copied;

use super::Skb;
use crate::map::scratch;

/// What a checksum covers that changes.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// Four bytes of the pseudo-header, as they stand in memory, from the first to the second.
    PseudoWord(u32, u32),
    /// A part of the pseudo-header, by [`overlay_ebpf::checksum::difference`].
    Pseudo(u32),
    /// A part of the payload, by [`overlay_ebpf::checksum::difference`].
    Payload(u32),
    /// Two bytes of header or payload, as they stand in memory, from the first to the second.
    Half(u16, u16),
}

impl Skb {
    #[inline(always)]
    pub(super) fn load<const N: usize>(&self, at: u32) -> Result<Copied<N>, Reason> {
        let mut result = 0;
        let bytes = scratch::fill(|bytes: &mut [u8; N]| {
            let bytes = bytes.as_mut_ptr().cast();
            // SAFETY: the context is valid and `bytes` points to `N` bytes.
            result = unsafe { bpf_skb_load_bytes(self.0.cast(), at, bytes, N as u32) };
        })?;
        if result == 0 {
            Ok(Copied(*bytes))
        } else {
            Err(Reason::Malformed)
        }
    }

    /// Corrects the IPv4 header checksum at `at` for four bytes that change.
    #[inline(always)]
    pub(crate) fn correct_ip(&mut self, at: u32, from: u32, to: u32) -> Result<(), Reason> {
        // SAFETY: the context is valid; no reference into the packet is alive.
        let result = unsafe { bpf_l3_csum_replace(self.0, at, from.into(), to.into(), 4) };
        if result == 0 {
            Ok(())
        } else {
            Err(Reason::Torn)
        }
    }

    /// Corrects the transport checksum at `at`. A UDP checksum that is not there (zero) stays so, and one
    /// that becomes zero is written as the kernel's own NAT writes it.
    #[inline(always)]
    pub(crate) fn correct(&mut self, at: u32, is_udp: bool, change: Change) -> Result<(), Reason> {
        let pseudo = u64::from(BPF_F_PSEUDO_HDR);
        let (from, to, flags) = match change {
            Change::PseudoWord(from, to) => (u64::from(from), u64::from(to), pseudo | 4),
            Change::Pseudo(difference) => (0, u64::from(difference), pseudo),
            Change::Payload(difference) => (0, u64::from(difference), 0),
            Change::Half(from, to) => (u64::from(from), u64::from(to), 2),
        };
        let optional = if is_udp {
            u64::from(BPF_F_MARK_MANGLED_0)
        } else {
            0
        };
        // SAFETY: the context is valid; no reference into the packet is alive.
        let result = unsafe { bpf_l4_csum_replace(self.0, at, from, to, flags | optional) };
        if result == 0 {
            Ok(())
        } else {
            Err(Reason::Torn)
        }
    }
}
