//! The address that a system call of a socket names (`struct bpf_sock_addr`), and whose socket it is.

use aya_ebpf::{
    bindings::bpf_sock_addr,
    helpers::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_set_retval},
    programs::SockAddrContext,
};
use overlay_common::address::Address;

/// What a program at a socket returns: [`ALLOW`] or [`REFUSE`].
pub(crate) type Allowed = i32;

/// The system call goes on.
pub(crate) const ALLOW: Allowed = 1;
/// It fails.
pub(crate) const REFUSE: Allowed = 0;

/// `ECONNREFUSED` as a system call returns it.
const CONNECTION_REFUSED: i32 = -111;

/// The address of one system call.
pub(crate) struct Sock {
    context: SockAddrContext,
    is_v4: bool,
}

impl Sock {
    /// Of a program for IPv4 addresses.
    #[inline(always)]
    pub(crate) fn v4(context: SockAddrContext) -> Self {
        Self {
            context,
            is_v4: true,
        }
    }

    /// Of a program for IPv6 addresses.
    #[inline(always)]
    pub(crate) fn v6(context: SockAddrContext) -> Self {
        Self {
            context,
            is_v4: false,
        }
    }

    #[inline(always)]
    fn get(&self) -> &bpf_sock_addr {
        // SAFETY: the kernel passes a valid context that lives as long as the program runs.
        unsafe { &*self.context.sock_addr }
    }

    #[inline(always)]
    fn get_mut(&mut self) -> &mut bpf_sock_addr {
        // SAFETY: as above, and it is this program's alone.
        unsafe { &mut *self.context.sock_addr }
    }

    /// Whether the address is an IPv4 one; those of IPv6 sockets may be IPv4-mapped.
    #[inline(always)]
    pub(crate) fn is_v4(&self) -> bool {
        self.is_v4
    }

    /// The IP protocol.
    #[inline(always)]
    pub(crate) fn protocol(&self) -> u32 {
        read(&self.get().protocol)
    }

    /// The address.
    #[inline(always)]
    pub(crate) fn address(&self) -> Address {
        let context = self.get();
        if self.is_v4 {
            return Address::from_v4(read(&context.user_ip4).to_ne_bytes());
        }
        let [a, b, c, d] = &context.user_ip6;
        Address {
            words: [join(read(a), read(b)), join(read(c), read(d))],
        }
    }

    /// The port as it stands on the wire.
    #[inline(always)]
    pub(crate) fn port(&self) -> [u8; 2] {
        let [first, second, ..] = read(&self.get().user_port).to_ne_bytes();
        [first, second]
    }

    /// Puts another address and port in their place.
    #[inline(always)]
    pub(crate) fn set(&mut self, address: Address, port: [u8; 2]) {
        let is_v4 = self.is_v4;
        let context = self.get_mut();
        if is_v4 {
            let word = u32::from_ne_bytes(address.last_four());
            write(&mut context.user_ip4, word);
        } else {
            let [first, second] = address.words.map(split);
            let [a, b, c, d] = &mut context.user_ip6;
            write(a, first[0]);
            write(b, first[1]);
            write(c, second[0]);
            write(d, second[1]);
        }
        let port = u32::from_ne_bytes([port[0], port[1], 0, 0]);
        write(&mut context.user_port, port);
    }

    /// What tells the socket's network namespace from all others.
    #[inline(always)]
    pub(crate) fn namespace(&self) -> u64 {
        // SAFETY: the context is valid.
        unsafe { bpf_get_netns_cookie(self.context.sock_addr.cast()) }
    }

    /// What tells the socket from all others.
    #[inline(always)]
    pub(crate) fn cookie(&self) -> u64 {
        // SAFETY: the context is valid.
        unsafe { bpf_get_socket_cookie(self.context.sock_addr.cast()) }
    }
}

/// Makes the system call fail as if somebody had refused. Since Linux 5.18.
#[inline(always)]
pub(crate) fn refuse() -> Allowed {
    // SAFETY: takes an integer only.
    unsafe { bpf_set_retval(CONNECTION_REFUSED) };
    REFUSE
}

/// Reads a field by itself: the kernel allows no other way, which the compiler does not know.
#[inline(always)]
fn read(field: &u32) -> u32 {
    // SAFETY: a reference is valid and aligned.
    unsafe { core::ptr::from_ref(field).read_volatile() }
}

/// Writes a field by itself.
#[inline(always)]
fn write(field: &mut u32, word: u32) {
    // SAFETY: as above.
    unsafe { core::ptr::from_mut(field).write_volatile(word) };
}

/// Two words as they stand in memory, as one.
#[inline(always)]
fn join(first: u32, second: u32) -> u64 {
    let (first, second) = (u64::from(first), u64::from(second));
    if cfg!(target_endian = "big") {
        first << 32 | second
    } else {
        second << 32 | first
    }
}

#[inline(always)]
fn split(both: u64) -> [u32; 2] {
    let halves = [(both >> 32) as u32, both as u32];
    if cfg!(target_endian = "big") {
        halves
    } else {
        [halves[1], halves[0]]
    }
}
