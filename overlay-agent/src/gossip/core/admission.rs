//! Keeps nodes out of the membership protocol that the managers do not know.

use std::borrow::Cow;

use foca::{Header, Message};

use super::{
    Refused,
    identity::Life,
    wire::{self, ToldMember},
};
use crate::model::NodeId;

/// The packet without the members that `is_known` does not know, and how many those were. A packet
/// that speaks for another node than its sender is refused.
pub(super) fn admitted(
    packet: &[u8],
    from: NodeId,
    is_known: impl Fn(NodeId) -> bool,
) -> Result<(Cow<'_, [u8]>, usize), Refused> {
    let (header, rest): (Header<Life>, _) =
        postcard::take_from_bytes(packet).map_err(|_not_ours| Refused::Malformed)?;
    if header.src.node != from || header.message == Message::Broadcast {
        return Err(Refused::Malformed);
    }
    let header_size = packet.len() - rest.len();
    let (Some(count), Some(told)) = (rest.first_chunk::<2>(), rest.get(2..)) else {
        return Ok((Cow::Borrowed(packet), 0));
    };
    let members: Vec<ToldMember> = wire::items(told)?;
    if members.len() != usize::from(u16::from_be_bytes(*count)) {
        return Err(Refused::Malformed);
    }
    let told = members.len();
    let members: Vec<ToldMember> = members
        .into_iter()
        .filter(|member| is_known(member.id().node))
        .collect();
    if members.len() == told {
        return Ok((Cow::Borrowed(packet), 0));
    }
    let mut admitted = packet[..header_size].to_vec();
    let count = u16::try_from(members.len()).map_err(|_too_many| Refused::Malformed)?;
    admitted.extend(count.to_be_bytes());
    admitted.extend(members.iter().flat_map(wire::encoded));
    Ok((Cow::Owned(admitted), told - members.len()))
}
