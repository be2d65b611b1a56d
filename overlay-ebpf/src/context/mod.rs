//! The kernel's packet contexts. Nothing else calls a packet helper.

mod tc;

pub(crate) use tc::{
    Action, Change, Headroom, Skb, random, redirect, redirect_neighbour, redirect_peer,
};
