//! How packets of encrypted networks are told apart on their way through the kernel: by their marks.
//!
//! A part of the mark is ours. With nothing else in it, it asks for encryption; what an inbound state of the
//! kernel's xfrm has decrypted carries the number of the node that encrypted it, its key in `PEER`.

/// Our part of a mark, unless the settings say otherwise.
pub const MARK: u32 = 0xe500_0000;
/// Which bits of a mark are our part.
pub const MARK_MASK: u32 = 0xff00_0000;
/// Which bits tell the peer.
pub const MARK_PEER: u32 = 0x00ff_ffff;

/// Bytes that ESP in transport mode puts before and behind what it encrypts with AES-GCM: SPI and sequence number,
/// initialisation vector, check value (RFC 4303; RFC 4106).
pub const ESP_OVERHEAD: u32 = 8 + 8 + 16;
/// What ESP encrypts is a multiple of this long, together with [`ESP_TRAILER`].
pub const ESP_BLOCK: u32 = 4;
/// Length of the padding, and what is behind it: they are encrypted as well.
pub const ESP_TRAILER: u32 = 2;

/// The mark that asks for encryption, where `ours` is our part.
#[inline(always)]
pub const fn outbound(ours: u32) -> u32 {
    ours & MARK_MASK
}

/// The mark of what the peer `number` encrypted.
#[inline(always)]
pub const fn inbound(ours: u32, number: u32) -> u32 {
    outbound(ours) | number & MARK_PEER
}

/// Whether a mark says one of these things.
#[inline(always)]
pub const fn is_ours(ours: u32, mark: u32) -> bool {
    mark & MARK_MASK == outbound(ours)
}

/// The peer that encrypted a packet with this mark, if one did.
#[inline(always)]
pub const fn sender(ours: u32, mark: u32) -> Option<u32> {
    let number = mark & MARK_PEER;
    if is_ours(ours, mark) && number != 0 {
        Some(number)
    } else {
        None
    }
}

/// The most that may be encrypted so that no more than `room` bytes follow the outer IP header.
#[inline(always)]
pub const fn payload(room: u32) -> u32 {
    (room.saturating_sub(ESP_OVERHEAD) & !(ESP_BLOCK - 1)).saturating_sub(ESP_TRAILER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_the_peer_that_encrypted() {
        assert_eq!(sender(MARK, inbound(MARK, 7)), Some(7));
        assert_eq!(sender(MARK, outbound(MARK)), None);
        assert_eq!(sender(MARK, 0), None);
        assert_eq!(sender(MARK, 7), None);
        assert_eq!(sender(MARK, inbound(0x1200_0000, 7)), None);
        assert!(is_ours(MARK, outbound(MARK)));
        assert!(is_ours(MARK, inbound(MARK, MARK_PEER)));
        assert!(!is_ours(MARK, 0));
    }

    #[test]
    fn what_is_encrypted_fills_whole_blocks() {
        for room in 0..3000 {
            let payload = payload(room);
            let padded = (payload + ESP_TRAILER).next_multiple_of(ESP_BLOCK);
            assert!(payload == 0 || padded + ESP_OVERHEAD <= room, "{room}");
            let longer = (payload + 1 + ESP_TRAILER).next_multiple_of(ESP_BLOCK);
            assert!(longer + ESP_OVERHEAD > room, "{room}");
        }
        assert_eq!(payload(1480), 1446);
    }
}
