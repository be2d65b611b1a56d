//! What packets tell about their flows.

use overlay_common::{
    flow::{Flow, FlowKey, Fragment, STATE_CLOSING, STATE_NEW, STATE_OPEN},
    reason::Reason,
};
use overlay_ebpf::{
    flow,
    header::Tcp,
    transport::{self, Ends, Part},
};

use super::TcFrame;
use crate::map::{
    flow::{Found, find, forget, now, ports_of, promote, remember, remember_ports},
    work::Work,
};

/// The ends of a packet; those of a later fragment, if its first one was remembered.
#[inline(always)]
pub(super) fn ends(frame: &TcFrame, work: &mut Work) -> Result<Option<Ends>, Reason> {
    if work.transport.part != Part::Later {
        return transport::ends(frame, &work.transport).map(Some);
    }
    work.fragment = flow::fragment_key(frame, work.vni, &work.transport)?;
    Ok(ports_of(&work.fragment).map(|fragment| flow::ends_of(&fragment)))
}

/// Lets the rest of a fragmented packet follow its first part.
#[inline(always)]
pub(super) fn expect_fragments(
    frame: &TcFrame,
    ends: &Ends,
    work: &mut Work,
) -> Result<(), Reason> {
    if work.transport.part != Part::First {
        return Ok(());
    }
    work.fragment = flow::fragment_key(frame, work.vni, &work.transport)?;
    let fragment: Fragment = flow::fragment(ends);
    remember_ports(&work.fragment, &fragment);
    Ok(())
}

/// Which way a packet goes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Way {
    /// From the client.
    There,
    /// From the backend.
    Back,
}

/// Brings a flow up to date with a packet that has the TCP flags `flags`.
///
/// A flow is kept once both sides have sent. Of TCP a SYN does not count, so that a flood of them stays among
/// the flows that make room for one another, whoever answers it.
#[inline(always)]
pub(super) fn progress(found: &Found, way: Way, flags: u8, key: &FlowKey, twin: &FlowKey) {
    found.touch(now());
    if flags & (Tcp::FIN | Tcp::RST) != 0 {
        set_both(found, twin, STATE_CLOSING);
    } else if way == Way::Back && found.flow().state == STATE_NEW {
        set_both(found, twin, STATE_OPEN);
    }
    if found.is_new && found.flow().state == STATE_OPEN && flags & Tcp::SYN == 0 {
        promote(key, twin);
    }
}

#[inline(always)]
fn set_both(found: &Found, twin: &FlowKey, state: u8) {
    found.set_state(state);
    if let Some(other) = find(twin) {
        other.set_state(state);
    }
}

/// Forgets both directions of a flow.
#[inline(always)]
pub(super) fn forget_both(key: &FlowKey, twin: &FlowKey) {
    forget(key);
    forget(twin);
}

/// Remembers `flow` unless something is known already.
#[inline(always)]
pub(super) fn remember_missing(key: &FlowKey, flow: &Flow) {
    if find(key).is_none() {
        remember(key, flow);
    }
}
