//! The programs, inside the agent's own binary: one file is the whole installation.

/// The ELF object that `cargo xtask build-ebpf` made.
pub(super) const OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/overlay.o"));
