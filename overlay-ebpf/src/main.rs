//! The programs' entry points, and what each verdict and each reason means to the kernel.

#![cfg_attr(target_arch = "bpf", no_std)]
#![cfg_attr(target_arch = "bpf", no_main)]

mod context;
mod map;
mod program;

use aya_ebpf::{
    bindings::TC_ACT_SHOT,
    macros::{cgroup_sock_addr, classifier},
    programs::{SockAddrContext, TcContext},
};
use overlay_common::{event::Place, reason::Reason};
use overlay_ebpf::{frame::Frame, verdict::Verdict};

use crate::{
    context::{Action, Allowed, Skb, Sock},
    map::counter,
    program::{TcFrame, report, socket},
};

/// The next program, then the kernel.
const TC_ACT_UNSPEC: Action = -1;

/// TC ingress of the host end of an endpoint's veth.
#[classifier]
fn from_container(context: TcContext) -> Action {
    run(
        context,
        Place::FromContainer,
        program::from_container::decide,
    )
}

/// TC ingress of the underlay device.
#[classifier]
fn from_underlay(context: TcContext) -> Action {
    run(context, Place::FromUnderlay, program::from_underlay::decide)
}

/// TC ingress of the collect-metadata vxlan device.
#[classifier]
fn from_tunnel(context: TcContext) -> Action {
    run(context, Place::FromTunnel, program::from_tunnel::decide)
}

/// TC egress of the gateway's near end.
#[classifier]
fn from_host(context: TcContext) -> Action {
    run(context, Place::FromHost, program::from_host::decide)
}

/// TC egress of the underlay device, while anything is encrypted.
#[classifier]
fn to_underlay(context: TcContext) -> Action {
    run(context, Place::ToUnderlay, program::to_underlay::decide)
}

/// `connect` of an IPv4 socket.
#[cgroup_sock_addr(connect4)]
fn sock_connect4(context: SockAddrContext) -> Allowed {
    socket::connect(&mut Sock::v4(context))
}

/// `connect` of an IPv6 socket, which may be to an IPv4-mapped address.
#[cgroup_sock_addr(connect6)]
fn sock_connect6(context: SockAddrContext) -> Allowed {
    socket::connect(&mut Sock::v6(context))
}

/// `sendto` and its like of an IPv4 socket, or of an IPv6 one to an IPv4-mapped address.
#[cgroup_sock_addr(sendmsg4)]
fn sock_sendmsg4(context: SockAddrContext) -> Allowed {
    socket::send(&mut Sock::v4(context))
}

/// `sendto` and its like of an IPv6 socket.
#[cgroup_sock_addr(sendmsg6)]
fn sock_sendmsg6(context: SockAddrContext) -> Allowed {
    socket::send(&mut Sock::v6(context))
}

/// `recvfrom` and its like of an IPv4 socket.
#[cgroup_sock_addr(recvmsg4)]
fn sock_recvmsg4(context: SockAddrContext) -> Allowed {
    socket::name(&mut Sock::v4(context))
}

/// `recvfrom` and its like of an IPv6 socket, which may have got the datagram from an IPv4-mapped address.
#[cgroup_sock_addr(recvmsg6)]
fn sock_recvmsg6(context: SockAddrContext) -> Allowed {
    socket::name(&mut Sock::v6(context))
}

/// `getpeername` of an IPv4 socket.
#[cgroup_sock_addr(getpeername4)]
fn sock_peername4(context: SockAddrContext) -> Allowed {
    socket::name(&mut Sock::v4(context))
}

/// `getpeername` of an IPv6 socket.
#[cgroup_sock_addr(getpeername6)]
fn sock_peername6(context: SockAddrContext) -> Allowed {
    socket::name(&mut Sock::v6(context))
}

/// Every reason drops: a packet that may go on has a verdict that says so.
#[inline(always)]
fn run(
    context: TcContext,
    place: Place,
    decide: impl FnOnce(&mut TcFrame) -> Result<Verdict, Reason>,
) -> Action {
    let mut frame = Frame(Skb::new(context));
    let length = frame.0.length();
    match decide(&mut frame) {
        Ok(verdict) => carry_out(verdict, length),
        Err(reason) => {
            report::drop(&frame, reason, place, length);
            TC_ACT_SHOT
        }
    }
}

#[inline(always)]
fn carry_out(verdict: Verdict, length: u32) -> Action {
    match verdict {
        Verdict::Pass => TC_ACT_UNSPEC,
        Verdict::Leave(walk) => {
            counter::count_walk(walk, length);
            TC_ACT_UNSPEC
        }
        Verdict::Redirect { ifindex, walk } => {
            counter::count_walk(walk, length);
            context::redirect(ifindex)
        }
        Verdict::RedirectPeer { ifindex, walk } => {
            counter::count_walk(walk, length);
            context::redirect_peer(ifindex)
        }
        Verdict::RedirectNeighbour {
            ifindex,
            next_hop,
            walk,
        } => {
            counter::count_walk(walk, length);
            context::redirect_neighbour(ifindex, next_hop)
        }
    }
}

/// Some helpers are for programs under a licence compatible with the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The host only checks and tests this code; `cargo xtask build-ebpf` builds it for the kernel.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
