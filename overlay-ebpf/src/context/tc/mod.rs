//! The packet of a TC program (`struct __sk_buff`) and the helpers that change it.

use core::mem::size_of;

use aya_ebpf::{
    bindings::{
        __sk_buff, BPF_CSUM_LEVEL_DEC, BPF_F_ADJ_ROOM_DECAP_L3_IPV4, BPF_F_ADJ_ROOM_DECAP_L3_IPV6,
        BPF_F_ADJ_ROOM_ENCAP_L2_ETH, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6,
        BPF_F_ADJ_ROOM_ENCAP_L4_UDP, BPF_F_ADJ_ROOM_FIXED_GSO, BPF_F_ADJ_ROOM_NO_CSUM_RESET,
        BPF_F_RECOMPUTE_CSUM, BPF_F_TUNINFO_IPV6, TC_ACT_SHOT, bpf_adj_room_mode::BPF_ADJ_ROOM_MAC,
        bpf_redir_neigh, bpf_tunnel_key,
    },
    helpers::{
        bpf_csum_level, bpf_get_hash_recalc, bpf_get_prandom_u32, bpf_redirect, bpf_redirect_neigh,
        bpf_redirect_peer, bpf_skb_adjust_room, bpf_skb_change_tail, bpf_skb_change_type,
        bpf_skb_get_tunnel_key, bpf_skb_pull_data, bpf_skb_set_tunnel_key, bpf_skb_store_bytes,
    },
    programs::TcContext,
};
use overlay_common::{address::Address, encryption, peer::Peer, reason::Reason};
use overlay_ebpf::{
    frame::{Bytes, Copied},
    header::{Header, headers},
};

use crate::map::{config, scratch};

mod rewrite;

pub(crate) use rewrite::Change;

/// What a TC program returns.
pub(crate) type Action = i32;

/// `PACKET_HOST` and `PACKET_OTHERHOST` of `include/uapi/linux/if_packet.h`.
const PACKET_HOST: u32 = 0;
const PACKET_OTHERHOST: u32 = 3;

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// `BPF_F_ADJ_ROOM_ENCAP_L2(14)`: the inner frame starts with an Ethernet header.
const ENCAP_L2_ETHERNET: u64 = 14 << 56;

/// Length of a next hop.
const NEXT_HOP: i32 = 20;
/// Length of the tunnel key up to `local_ipv6` (Linux 6.0 knows it whole).
const TUNNEL_KEY: u32 = size_of::<TunnelKey>() as u32;

headers! {
    /// `struct bpf_tunnel_key`, laid out in bytes so that it can be put together in the scratch space.
    pub struct TunnelKey [44] {
        /// The network, a number in host byte order.
        pub vni: [u8; 4],
        /// IPv4 in host byte order in the first four bytes, or IPv6.
        pub remote: [u8; 16],
        /// DSCP and ECN.
        pub tos: u8,
        /// Hops.
        pub ttl: u8,
        /// Zero.
        pub flags: [u8; 2],
        /// IPv6 flow label.
        pub label: [u8; 4],
        /// Like `remote`.
        pub local: [u8; 16],
    }

    /// `struct bpf_redir_neigh`.
    pub struct NextHop [20] {
        /// A number in host byte order.
        pub family: [u8; 4],
        /// IPv4 in the first four bytes, or IPv6; network byte order.
        pub address: [u8; 16],
    }
}

const _: () = assert!(size_of::<TunnelKey>() == size_of::<bpf_tunnel_key>());
const _: () = assert!(size_of::<NextHop>() == size_of::<bpf_redir_neigh>());
const _: () = assert!(size_of::<NextHop>() == NEXT_HOP as usize);

/// The packet of a TC program.
pub(crate) struct Skb(*mut __sk_buff);

/// Which headers are put before the inner packet.
#[derive(Clone, Copy)]
pub(crate) enum Headroom {
    /// 50 bytes: IPv4, UDP, VXLAN, Ethernet.
    V4,
    /// 70 bytes: IPv6, UDP, VXLAN, Ethernet.
    V6,
}

impl Bytes for Skb {
    #[inline(always)]
    fn start(&self) -> *const u8 {
        self.get().data as usize as *const u8
    }

    #[inline(always)]
    fn end(&self) -> *const u8 {
        self.get().data_end as usize as *const u8
    }

    #[inline(always)]
    fn copy<const N: usize>(&self, at: u32) -> Result<Copied<N>, Reason> {
        self.load(at)
    }
}

impl Skb {
    #[inline(always)]
    pub(crate) fn new(context: TcContext) -> Self {
        let TcContext { skb } = context;
        Self(skb.skb)
    }

    #[inline(always)]
    fn get(&self) -> &__sk_buff {
        // SAFETY: the kernel passes a valid context that lives as long as the program runs.
        unsafe { &*self.0 }
    }

    /// Length with the Ethernet header, bytes.
    #[inline(always)]
    pub(crate) fn length(&self) -> u32 {
        self.get().len
    }

    /// The device at which the program is attached.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        self.get().ifindex
    }

    /// Payload bytes of each segment of an aggregate, or 0.
    #[inline(always)]
    pub(crate) fn gso_size(&self) -> u32 {
        self.get().gso_size
    }

    /// Whether a VLAN tag stands beside the packet.
    #[inline(always)]
    pub(crate) fn has_vlan_tag(&self) -> bool {
        self.get().vlan_present != 0
    }

    /// Whether the Ethernet destination is another host.
    #[inline(always)]
    pub(crate) fn is_for_another_host(&self) -> bool {
        self.get().pkt_type == PACKET_OTHERHOST
    }

    /// The mark that the kernel keeps beside the packet.
    #[inline(always)]
    pub(crate) fn mark(&self) -> u32 {
        self.get().mark
    }

    /// Marks the packet.
    #[inline(always)]
    pub(crate) fn set_mark(&mut self, mark: u32) {
        // SAFETY: the kernel passes a valid context, of which programs may write this field.
        unsafe { (*self.0).mark = mark };
    }

    /// Takes our mark off: what it says is true only where the kernel or a program has just set it.
    #[inline(always)]
    pub(crate) fn unmark(&mut self) {
        if encryption::is_ours(config::mark(), self.mark()) {
            self.set_mark(0);
        }
    }

    /// The flow hash.
    #[inline(always)]
    pub(crate) fn flow_hash(&self) -> u32 {
        // SAFETY: the context is valid.
        unsafe { bpf_get_hash_recalc(self.0) }
    }

    /// Makes the first `length` bytes readable, or as many as there are.
    #[inline(always)]
    pub(crate) fn ensure(&mut self, length: u32) {
        let readable = self.end() as usize - self.start() as usize;
        if readable >= length as usize || readable >= self.length() as usize {
            return;
        }
        let wanted = if self.length() < length {
            self.length()
        } else {
            length
        };
        // A failure leaves the packet as it was; the headers that are missing then say so.
        // SAFETY: the context is valid; no reference into the packet is alive (`&mut self`).
        unsafe { bpf_skb_pull_data(self.0, wanted) };
    }

    /// Writes `header` at `at` bytes.
    #[inline(always)]
    pub(crate) fn store<T: Header>(&mut self, at: u32, header: &T) -> Result<(), Reason> {
        self.store_with(at, header, 0)
    }

    /// Writes `header` at `at` bytes and keeps a checksum over the whole packet true.
    #[inline(always)]
    pub(crate) fn store_summed<T: Header>(&mut self, at: u32, header: &T) -> Result<(), Reason> {
        self.store_with(at, header, u64::from(BPF_F_RECOMPUTE_CSUM))
    }

    #[inline(always)]
    fn store_with<T: Header>(&mut self, at: u32, header: &T, flags: u64) -> Result<(), Reason> {
        let bytes = core::ptr::from_ref(header).cast();
        // SAFETY: the context is valid, `bytes` points to `size_of::<T>()` initialised bytes (`T` has no
        // padding), and no reference into the packet is alive.
        let result =
            unsafe { bpf_skb_store_bytes(self.0, at, bytes, size_of::<T>() as u32, flags) };
        if result == 0 {
            Ok(())
        } else {
            Err(Reason::Torn)
        }
    }

    /// Makes the packet exactly `length` bytes long.
    #[inline(always)]
    pub(crate) fn resize(&mut self, length: u32) -> Result<(), Reason> {
        if self.length() == length {
            return Ok(());
        }
        // SAFETY: the context is valid; no reference into the packet is alive.
        let result = unsafe { bpf_skb_change_tail(self.0, length, 0) };
        if result == 0 {
            Ok(())
        } else {
            Err(Reason::Torn)
        }
    }

    /// Makes room for outer headers behind the Ethernet header, and tells the kernel what they are so
    /// that it can segment. On an error the packet is as it was.
    #[inline(always)]
    pub(crate) fn encapsulate(&mut self, room: Headroom) -> Result<(), i64> {
        let common = u64::from(
            BPF_F_ADJ_ROOM_FIXED_GSO
                | BPF_F_ADJ_ROOM_ENCAP_L4_UDP
                | BPF_F_ADJ_ROOM_ENCAP_L2_ETH
                | BPF_F_ADJ_ROOM_NO_CSUM_RESET,
        ) | ENCAP_L2_ETHERNET;
        let (bytes, family) = match room {
            Headroom::V4 => (50, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4),
            Headroom::V6 => (70, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6),
        };
        self.adjust(bytes, common | u64::from(family))
    }

    /// Takes the outer headers away. `inner_family` is needed where the families differ. On an error the
    /// packet is as it was.
    #[inline(always)]
    pub(crate) fn decapsulate(&mut self, room: Headroom, is_inner_v4: bool) -> Result<(), i64> {
        let common = u64::from(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET);
        let (bytes, family) = match (room, is_inner_v4) {
            (Headroom::V4, true) => (-50, 0),
            (Headroom::V4, false) => (-50, BPF_F_ADJ_ROOM_DECAP_L3_IPV6),
            (Headroom::V6, true) => (-70, BPF_F_ADJ_ROOM_DECAP_L3_IPV4),
            (Headroom::V6, false) => (-70, 0),
        };
        self.adjust(bytes, common | u64::from(family))?;
        // A device that checked the outer checksum said so for one more level than is left. Fails where
        // nothing was checked, and then nothing is claimed.
        // SAFETY: the context is valid.
        unsafe { bpf_csum_level(self.0, u64::from(BPF_CSUM_LEVEL_DEC)) };
        Ok(())
    }

    #[inline(always)]
    fn adjust(&mut self, bytes: i32, flags: u64) -> Result<(), i64> {
        // SAFETY: the context is valid; no reference into the packet is alive.
        let result = unsafe { bpf_skb_adjust_room(self.0, bytes, BPF_ADJ_ROOM_MAC, flags) };
        if result == 0 { Ok(()) } else { Err(result) }
    }

    /// Says that the packet is for whoever gets it. Before Linux 6.15 `redirect_peer` keeps the type that
    /// the first device gave it, and another host's packet would be dropped.
    #[inline(always)]
    pub(crate) fn claim(&mut self) {
        if self.get().pkt_type != PACKET_HOST {
            // SAFETY: the context is valid. PACKET_HOST is always allowed.
            unsafe { bpf_skb_change_type(self.0, PACKET_HOST) };
        }
    }

    /// Tells the collect-metadata vxlan device where the packet goes.
    #[inline(always)]
    pub(crate) fn set_tunnel(&mut self, vni: u32, peer: &Peer) -> Result<(), Reason> {
        let is_v4 = peer.remote.is_v4();
        let key = scratch::fill(|key: &mut TunnelKey| {
            key.vni = vni.to_ne_bytes();
            (key.tos, key.ttl, key.flags, key.label) = (0, 64, [0; 2], [0; 4]);
            if is_v4 {
                (key.remote, key.local) = ([0; 16], [0; 16]);
                key.remote[..4].copy_from_slice(&host_order(peer.remote));
                key.local[..4].copy_from_slice(&host_order(peer.local));
            } else {
                (key.remote, key.local) = (peer.remote.bytes(), peer.local.bytes());
            }
        })?;
        let flags = if is_v4 {
            0
        } else {
            u64::from(BPF_F_TUNINFO_IPV6)
        };
        let key = core::ptr::from_ref(key).cast_mut().cast();
        // SAFETY: the context is valid; the helper reads `TUNNEL_KEY` initialised bytes and writes none.
        let result = unsafe { bpf_skb_set_tunnel_key(self.0, key, TUNNEL_KEY, flags) };
        if result == 0 {
            Ok(())
        } else {
            Err(Reason::Torn)
        }
    }

    /// Who sent the packet that the vxlan device decapsulated, and in which network.
    #[inline(always)]
    pub(crate) fn tunnel(&self) -> Option<(Address, u32)> {
        if let Some(key) = self.tunnel_key(0) {
            let [a, b, c, d, ..] = key.remote;
            let remote = u32::from_ne_bytes([a, b, c, d]).to_be_bytes();
            return Some((Address::from_v4(remote), u32::from_ne_bytes(key.vni)));
        }
        let key = self.tunnel_key(u64::from(BPF_F_TUNINFO_IPV6))?;
        Some((Address::from_v6(key.remote), u32::from_ne_bytes(key.vni)))
    }

    #[inline(always)]
    fn tunnel_key(&self, flags: u64) -> Option<&'static TunnelKey> {
        let mut result = 0;
        let key = scratch::fill(|key: &mut TunnelKey| {
            let key = core::ptr::from_mut(key).cast();
            // SAFETY: the context is valid and `key` is as long as said.
            result = unsafe { bpf_skb_get_tunnel_key(self.0, key, TUNNEL_KEY, flags) };
        });
        if result == 0 { key.ok() } else { None }
    }
}

/// An IPv4 address as `struct bpf_tunnel_key` keeps it: a number in host byte order.
#[inline(always)]
fn host_order(address: Address) -> [u8; 4] {
    u32::from_be_bytes(address.last_four()).to_ne_bytes()
}

/// A number for an outer IPv4 header.
#[inline(always)]
pub(crate) fn random() -> u32 {
    // SAFETY: takes no argument.
    unsafe { bpf_get_prandom_u32() }
}

/// Sends the packet out of a device.
#[inline(always)]
pub(crate) fn redirect(ifindex: u32) -> Action {
    // SAFETY: takes integers only.
    (unsafe { bpf_redirect(ifindex, 0) }) as Action
}

/// Hands the packet to the other end of a veth pair, as if it had been received there.
#[inline(always)]
pub(crate) fn redirect_peer(ifindex: u32) -> Action {
    // SAFETY: takes integers only.
    (unsafe { bpf_redirect_peer(ifindex, 0) }) as Action
}

/// Sends the packet out of a device with the Ethernet header that the next hop needs.
#[inline(always)]
pub(crate) fn redirect_neighbour(ifindex: u32, next_hop: Address) -> Action {
    if next_hop.is_unspecified() {
        // SAFETY: without parameters the helper looks the route up itself.
        return (unsafe { bpf_redirect_neigh(ifindex, core::ptr::null_mut(), 0, 0) }) as Action;
    }
    let hop = scratch::fill(|hop: &mut NextHop| {
        if next_hop.is_v4() {
            hop.family = AF_INET.to_ne_bytes();
            hop.address = [0; 16];
            hop.address[..4].copy_from_slice(&next_hop.last_four());
        } else {
            hop.family = AF_INET6.to_ne_bytes();
            hop.address = next_hop.bytes();
        }
    });
    let Ok(hop) = hop else {
        return TC_ACT_SHOT;
    };
    let hop = core::ptr::from_ref(hop).cast_mut().cast();
    // SAFETY: the helper reads as many initialised bytes as said and writes none.
    (unsafe { bpf_redirect_neigh(ifindex, hop, NEXT_HOP, 0) }) as Action
}
