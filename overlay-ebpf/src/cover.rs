//! How a packet travels between nodes: as it is, or encrypted.

/// How a packet travels between nodes.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cover {
    /// As it is.
    Plain = 0,
    /// In ESP, by the kernel's xfrm.
    Encrypted = 1,
}

impl Cover {
    /// Encrypted where a flag says so.
    #[inline(always)]
    pub const fn by(is_encrypted: bool) -> Self {
        if is_encrypted {
            Self::Encrypted
        } else {
            Self::Plain
        }
    }
}
