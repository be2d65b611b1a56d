//! Bounds-checked views of headers at fixed offsets of a packet.

use core::mem::size_of;

use overlay_common::reason::Reason;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Gives the linear part of a packet.
pub trait Bytes {
    /// The first byte.
    fn start(&self) -> *const u8;
    /// One past the last byte that may be read directly.
    fn end(&self) -> *const u8;
    /// Copies the `N` bytes at `at`, whether or not they may be read directly. For places that the
    /// verifier cannot know; headers at fixed places are looked at.
    fn copy<const N: usize>(&self, at: u32) -> Result<Copied<N>, Reason>;
}

/// Bytes copied from a packet, aligned as the verifier wants all that is on the stack.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Copied<const N: usize>(pub [u8; N]);

/// A packet whose headers can be looked at. A header borrows the frame, so the compiler refuses what
/// the verifier refuses: a header kept while the packet is changed.
pub struct Frame<B>(pub B);

impl<B: Bytes> Frame<B> {
    /// The header of type `T` at `at` bytes, or [`Reason::Malformed`] if the packet ends before it.
    #[inline(always)]
    pub fn header<T>(&self, at: usize) -> Result<&T, Reason>
    where
        T: FromBytes + Immutable + KnownLayout + Unaligned,
    {
        let start = self.0.start() as usize;
        let end = self.0.end() as usize;
        if start + at + size_of::<T>() > end {
            return Err(Reason::Malformed);
        }
        // SAFETY: `at` does not lead out of the packet, as just compared.
        let header = unsafe { self.0.start().add(at) }.cast::<T>();
        // SAFETY: all of `T` lies inside the packet, as just compared; it has alignment 1, no padding, no
        // interior mutability and accepts every bit pattern; the borrow of `self` ends before the
        // packet can be changed.
        Ok(unsafe { &*header })
    }
}

/// A packet in ordinary memory.
impl Bytes for &[u8] {
    fn start(&self) -> *const u8 {
        self.as_ptr()
    }

    fn end(&self) -> *const u8 {
        self.as_ptr_range().end
    }

    fn copy<const N: usize>(&self, at: u32) -> Result<Copied<N>, Reason> {
        let bytes = self.get(at as usize..).and_then(<[u8]>::first_chunk);
        bytes.copied().map(Copied).ok_or(Reason::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_given_only_when_it_is_whole() {
        let bytes = [7_u8; 16];
        for length in 0..=16 {
            let packet = &bytes[..length];
            let frame = Frame(packet);
            for at in 0..=16 {
                let is_whole = at + 6 <= length;
                let copied = frame.0.copy::<6>(at as u32);
                assert_eq!(frame.header::<[u8; 6]>(at).is_ok(), is_whole, "{at}");
                assert_eq!(copied.is_ok(), is_whole, "{at} of {length}");
            }
        }
    }
}
