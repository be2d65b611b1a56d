//! The kernel's contexts of packets and sockets. Nothing else calls a helper of either.

mod sock;
mod tc;

pub(crate) use sock::{ALLOW, Allowed, Sock, refuse};
pub(crate) use tc::{
    Action, Change, Headroom, Skb, random, redirect, redirect_neighbour, redirect_peer,
};
