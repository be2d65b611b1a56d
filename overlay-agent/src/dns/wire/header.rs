//! The parts of a message that are looked at without understanding the rest of it (RFC 1035, 4.1).

/// Length of a message's header.
pub(in crate::dns) const LENGTH: usize = 12;

const RESPONSE: u8 = 0x80;
const TRUNCATED: u8 = 0x02;
const CODE: u8 = 0x0f;
const LONGEST_LABEL: u8 = 63;
/// Type and class behind the name of a question.
const KIND_LENGTH: usize = 4;

/// What question and answer share.
pub(in crate::dns) fn id(message: &[u8]) -> Option<[u8; 2]> {
    message.first_chunk().copied()
}

/// Replaces it; what is too short for one stays as it is.
pub(in crate::dns) fn set_id(message: &mut [u8], id: [u8; 2]) {
    if let Some(present) = message.first_chunk_mut() {
        *present = id;
    }
}

/// Whether it says that it is an answer.
pub(in crate::dns) fn is_response(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & RESPONSE != 0)
}

/// Whether it says that it was cut.
pub(in crate::dns) fn is_truncated(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & TRUNCATED != 0)
}

/// How the question fared.
pub(in crate::dns) fn code(message: &[u8]) -> Option<u8> {
    message.get(3).map(|flags| flags & CODE)
}

/// Where the only question ends; `None` if there is not exactly one, or its name is no plain one.
pub(in crate::dns) fn question_end(message: &[u8]) -> Option<usize> {
    if message.get(4..6)? != [0, 1] {
        return None;
    }
    let mut at = LENGTH;
    loop {
        let length = *message.get(at)?;
        at += 1;
        match length {
            0 => break,
            1..=LONGEST_LABEL => at += usize::from(length),
            _ => return None,
        }
    }
    let end = at + KIND_LENGTH;
    (end <= message.len()).then_some(end)
}

/// Whether a reply repeats the question of a query, which ends there; letters may differ in case.
pub(in crate::dns) fn has_question(reply: &[u8], query: &[u8], end: usize) -> bool {
    let (Some(given), Some(asked)) = (reply.get(LENGTH..end), query.get(LENGTH..end)) else {
        return false;
    };
    let Some(name) = given.len().checked_sub(KIND_LENGTH) else {
        return false;
    };
    let ((given, given_kind), (asked, asked_kind)) = (given.split_at(name), asked.split_at(name));
    question_end(reply) == Some(end)
        && given.eq_ignore_ascii_case(asked)
        && given_kind == asked_kind
}

/// Says that there is one more additional record.
pub(in crate::dns) fn count_additional(message: &mut [u8]) -> Option<()> {
    let count = message.get_mut(10..LENGTH)?;
    let more = u16::from_be_bytes(count.try_into().ok()?).checked_add(1)?;
    count.copy_from_slice(&more.to_be_bytes());
    Some(())
}

/// A reply without anything but its question, which says that it was cut.
pub(in crate::dns) fn cut(mut reply: Vec<u8>, end: usize) -> Vec<u8> {
    reply.truncate(end);
    if let Some(flags) = reply.get_mut(2) {
        *flags |= TRUNCATED;
    }
    if let Some(counts) = reply.get_mut(6..LENGTH) {
        counts.fill(0);
    }
    reply
}
