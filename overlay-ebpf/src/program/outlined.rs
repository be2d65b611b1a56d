//! Decisions that are functions of their own to the kernel too, for want of stack.

use overlay_common::reason::Reason;

use super::TcFrame;
use crate::map::work::Work;

/// Decides in a function of its own. `first` is overwritten by what is decided.
#[inline(always)]
pub(super) fn outlined<T>(
    frame: &mut TcFrame,
    work: &mut Work,
    first: T,
    decide: impl FnOnce(&mut TcFrame, &mut Work) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let mut decided = first;
    into(frame, work, &mut decided, decide)?;
    Ok(decided)
}

// The kernel's functions return one register. More than one word would be returned through a pointer into the
// caller's stack, which older verifiers find in that register afterwards and refuse.
#[inline(never)]
fn into<T>(
    frame: &mut TcFrame,
    work: &mut Work,
    decided: &mut T,
    decide: impl FnOnce(&mut TcFrame, &mut Work) -> Result<T, Reason>,
) -> Result<(), Reason> {
    *decided = decide(frame, work)?;
    Ok(())
}
