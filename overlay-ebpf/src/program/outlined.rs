//! Decisions that are functions of their own to the kernel too, for want of stack.

use overlay_common::reason::Reason;
use overlay_ebpf::verdict::Verdict;

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

/// The same for a verdict, which is large.
#[inline(always)]
pub(super) fn outlined_verdict(
    frame: &mut TcFrame,
    work: &mut Work,
    decide: impl FnOnce(&mut TcFrame, &mut Work) -> Result<Verdict, Reason>,
) -> Result<Verdict, Reason> {
    into_work(frame, work, decide)?;
    Ok(work.verdict)
}

#[inline(never)]
fn into_work(
    frame: &mut TcFrame,
    work: &mut Work,
    decide: impl FnOnce(&mut TcFrame, &mut Work) -> Result<Verdict, Reason>,
) -> Result<(), Reason> {
    work.verdict = decide(frame, work)?;
    Ok(())
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
