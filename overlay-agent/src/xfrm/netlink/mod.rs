//! The kernel's xfrm over netlink. Ours are the states and policies with our number and priorities, whoever runs.
//!
//! Answers and requests carry keys: every buffer is wiped after use.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NetlinkMessage, NlasIterator, Parseable as _, parse_i32, parse_u32,
};
use netlink_packet_xfrm::{
    Address, AlgAead, Id, Mark, ReplayEsn, Selector, UserPolicyId, UserPolicyInfo, UserSaId,
    UserSaInfo, UserTemplate, XFRM_STATE_ESN, XfrmAttrs, XfrmMessage, constants,
    policy::{DelGetMessage as PolicyId, ModifyMessage as PolicyMessage},
    state::{DelGetMessage as StateName, GetDumpMessage, ModifyMessage as StateMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_XFRM};
use nix::{
    libc,
    sys::{
        socket::{setsockopt, sockopt::ReceiveTimeout},
        time::TimeVal,
    },
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Error, Kernel, Policy, PolicyKey, Protection, StateId, StateRow, StateWish};

/// The number of our states (`reqid`): "ovly".
const OURS: u32 = 0x6f76_6c79;

/// Priorities of our policies; the smaller one is asked first. Nobody chooses them by accident.
const SEALING: u32 = 0x6f76_0001;
const BLOCKING: u32 = 0x6f76_0002;

/// Which bits of a mark are our part, and which tell the peer.
const OUR_PART: u32 = 0xff00_0000;
const WHOLE: u32 = u32::MAX;

/// How many packets may arrive before one that was sent before them.
const REPLAY_WINDOW: u32 = 1024;

const ALGORITHM: &[u8] = b"rfc4106(gcm(aes))";
const ICV_BITS: u32 = 128;

const PROTOCOL_UDP: u8 = 17;

/// Longer than any answer: the kernel cuts dumps into datagrams of at most 32 KiB.
const DATAGRAM_LENGTH: usize = 64 << 10;

const ANSWER_TIMEOUT_SECONDS: i64 = 30;

const DUMP_ATTEMPTS: u32 = 16;

const HEADER_LENGTH: usize = 16;

/// A socket to the xfrm of the namespace in which it was opened.
pub struct XfrmSocket {
    socket: Socket,
    sequence: u32,
    buffer: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for XfrmSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("XfrmSocket").finish_non_exhaustive()
    }
}

/// What went wrong, before it is known during what.
#[derive(Debug)]
enum Failure {
    Refused(Option<String>, io::Error),
    Malformed(DecodeError),
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self::Refused(None, source)
    }
}

impl From<nix::Error> for Failure {
    fn from(errno: nix::Error) -> Self {
        io::Error::from(errno).into()
    }
}

impl From<DecodeError> for Failure {
    fn from(source: DecodeError) -> Self {
        Self::Malformed(source)
    }
}

impl Failure {
    fn during(self, operation: impl Into<String>) -> Error {
        let operation = operation.into();
        match self {
            Self::Refused(remark, source) => Error::Refused {
                operation,
                remark,
                source,
            },
            Self::Malformed(source) => Error::Malformed { operation, source },
        }
    }
}

impl XfrmSocket {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        let open = || -> Result<_, Failure> {
            let socket = Socket::new(NETLINK_XFRM)?;
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            let timeout = TimeVal::new(ANSWER_TIMEOUT_SECONDS, 0);
            setsockopt(&socket, ReceiveTimeout, &timeout)?;
            Ok(socket)
        };
        let socket = open().map_err(|failure| failure.during("open a socket to the xfrm"))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Zeroizing::new(vec![0; DATAGRAM_LENGTH]),
        })
    }

    fn change(&mut self, message: XfrmMessage) -> Result<(), Failure> {
        self.send(message, NLM_F_ACK)?;
        self.receive(|_echo| Ok(())).map(|_is_consistent| ())
    }

    fn dump<T>(
        &mut self,
        message: &XfrmMessage,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
    ) -> Result<Vec<T>, Failure> {
        let mut rows = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            rows.clear();
            self.send(message.clone(), NLM_F_DUMP)?;
            let is_consistent = self.receive(|payload| {
                rows.extend(decode(payload)?);
                Ok(())
            })?;
            if is_consistent {
                return Ok(rows);
            }
        }
        Err(io::Error::other("it kept changing meanwhile").into())
    }

    fn send(&mut self, message: XfrmMessage, flags: u16) -> Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = Zeroizing::new(vec![0; message.buffer_len()]);
        message.serialize(&mut bytes);
        wipe(message);
        retry_interrupted(|| self.socket.send(&bytes, 0))?;
        Ok(())
    }

    /// Reads to the end of the answer even if a part of it is bad. Returns whether all parts show the same state.
    fn receive(
        &mut self,
        mut on_answer: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<bool, Failure> {
        let mut is_consistent = true;
        let mut malformed = None;
        loop {
            let Self { socket, buffer, .. } = self;
            let length = retry_interrupted(|| socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC))?;
            if length > buffer.len() {
                return Err(io::Error::from_raw_os_error(libc::EMSGSIZE).into());
            }
            let mut rest = &buffer[..length];
            while !rest.is_empty() {
                let message = NetlinkBuffer::new_checked(rest)?;
                let end = message.length() as usize;
                let payload = &rest[HEADER_LENGTH..end];
                rest = rest.get(end.next_multiple_of(4)..).unwrap_or_default();
                if message.sequence_number() != self.sequence {
                    continue;
                }
                is_consistent &= message.flags() & NLM_F_DUMP_INTR == 0;
                match message.message_type() {
                    NLMSG_ERROR | NLMSG_DONE => {
                        check(payload, message.message_type() == NLMSG_ERROR)?;
                        self.buffer[..length].zeroize();
                        return malformed
                            .map_or(Ok(is_consistent), |error| Err(Failure::from(error)));
                    }
                    _ => malformed = malformed.or(on_answer(payload).err()),
                }
            }
            self.buffer[..length].zeroize();
        }
    }
}

/// The kernel quotes only the header of what it refuses; its own words are behind that.
fn check(payload: &[u8], has_quote: bool) -> Result<(), Failure> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    let code = payload
        .get(..4)
        .ok_or(DecodeError::from("the verdict has no code"))?;
    let code = parse_i32(code)?;
    if code == 0 {
        return Ok(());
    }
    let behind = if has_quote { 4 + HEADER_LENGTH } else { 4 };
    let attributes = NlasIterator::new(payload.get(behind..).unwrap_or_default());
    let remark = attributes
        .filter_map(Result::ok)
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
        .map(|attribute| {
            let text = attribute.value();
            String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)).into_owned()
        });
    let source = io::Error::from_raw_os_error(code.saturating_neg());
    Err(Failure::Refused(remark, source))
}

fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Keys in it do not stay in memory.
fn wipe(message: NetlinkMessage<XfrmMessage>) {
    let netlink_packet_core::NetlinkPayload::InnerMessage(
        XfrmMessage::AddSa(StateMessage { nlas, .. })
        | XfrmMessage::UpdateSa(StateMessage { nlas, .. }),
    ) = message.payload
    else {
        return;
    };
    for attribute in nlas {
        if let XfrmAttrs::EncryptionAlgAead(mut algorithm) = attribute {
            algorithm.alg_key.zeroize();
        }
    }
}

impl Kernel for XfrmSocket {
    fn states(&mut self) -> Result<BTreeMap<StateId, StateRow>, Error> {
        let only_esp = GetDumpMessage {
            nlas: vec![XfrmAttrs::Proto(constants::IPPROTO_ESP)],
        };
        let rows = self.dump(&XfrmMessage::GetDumpSa(only_esp), decode_state);
        let rows = rows.map_err(|failure| failure.during("list xfrm states"))?;
        Ok(rows.into_iter().collect())
    }

    fn policies(&mut self) -> Result<BTreeMap<PolicyKey, Protection>, Error> {
        let rows = self.dump(&XfrmMessage::GetPolicy(PolicyId::default()), decode_policy);
        let rows = rows.map_err(|failure| failure.during("list xfrm policies"))?;
        Ok(rows.into_iter().collect())
    }

    fn add(&mut self, wish: &StateWish) -> Result<(), Error> {
        let added = self.change(XfrmMessage::AddSa(state(wish)));
        added.map_err(|failure| failure.during(format!("add an xfrm state {}", name(wish.id))))
    }

    fn mark(&mut self, wish: &StateWish) -> Result<(), Error> {
        let marked = self.change(XfrmMessage::UpdateSa(state(wish)));
        marked.map_err(|failure| failure.during(format!("mark the xfrm state {}", name(wish.id))))
    }

    fn remove(&mut self, id: StateId) -> Result<(), Error> {
        let mut user_sa_id = UserSaId {
            spi: id.spi,
            proto: constants::IPPROTO_ESP,
            ..UserSaId::default()
        };
        user_sa_id.destination(&id.destination);
        let nlas = Vec::new();
        let removed = self.change(XfrmMessage::DeleteSa(StateName { user_sa_id, nlas }));
        let removed = removed
            .map_err(|failure| failure.during(format!("remove the xfrm state {}", name(id))));
        unless_gone(removed)
    }

    fn set_policy(&mut self, (key, protection): Policy) -> Result<(), Error> {
        let set = self.change(XfrmMessage::UpdatePolicy(policy(key, protection)));
        set.map_err(|failure| failure.during(format!("set an xfrm policy {}", about(&key))))
    }

    fn remove_policy(&mut self, key: PolicyKey) -> Result<(), Error> {
        let message = PolicyId {
            user_policy_id: UserPolicyId {
                selector: selector(&key),
                index: 0,
                direction: constants::XFRM_POLICY_OUT,
            },
            nlas: vec![mark(&key)],
        };
        let removed = self.change(XfrmMessage::DeletePolicy(message));
        let operation = format!("remove the xfrm policy {}", about(&key));
        unless_gone(removed.map_err(|failure| failure.during(operation)))
    }
}

fn unless_gone(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) if !error.is_not_found() => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn name(id: StateId) -> String {
    format!("{:#010x} to {}", id.spi, id.destination)
}

fn about(key: &PolicyKey) -> String {
    key.destination.map_or_else(
        || "that stops what is not encrypted".to_owned(),
        |node| format!("to {node}"),
    )
}

fn state(wish: &StateWish) -> StateMessage {
    let mut info = UserSaInfo {
        reqid: OURS,
        mode: constants::XFRM_MODE_TRANSPORT,
        flags: XFRM_STATE_ESN,
        id: Id {
            daddr: Address::from_ip(&wish.id.destination),
            spi: wish.id.spi,
            proto: constants::IPPROTO_ESP,
        },
        ..UserSaInfo::default()
    };
    info.source(&wish.source);
    let mut alg_name = [0; 64];
    alg_name[..ALGORITHM.len()].copy_from_slice(ALGORITHM);
    let key = wish.material.key.to_vec();
    let words = REPLAY_WINDOW / u32::BITS;
    let mut nlas = vec![
        XfrmAttrs::EncryptionAlgAead(AlgAead {
            alg_name,
            alg_key_len: 8 * u32::try_from(key.len()).unwrap_or(u32::MAX),
            alg_icv_len: ICV_BITS,
            alg_key: key,
        }),
        XfrmAttrs::ReplayStateEsn(ReplayEsn {
            bmp_len: words,
            replay_window: REPLAY_WINDOW,
            bmp: vec![0; words as usize],
            ..ReplayEsn::default()
        }),
    ];
    if let Some(mark) = wish.mark {
        nlas.push(XfrmAttrs::MarkVal(mark));
        nlas.push(XfrmAttrs::MarkMask(WHOLE));
    }
    StateMessage {
        user_sa_info: info,
        nlas,
    }
}

fn selector(key: &PolicyKey) -> Selector {
    let mut selector = Selector {
        proto: PROTOCOL_UDP,
        dport: key.port,
        dport_mask: u16::MAX,
        ..Selector::default()
    };
    let any = if key.is_ipv6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    selector.source_prefix(&any, 0);
    let length = if key.is_ipv6 { 128 } else { 32 };
    selector.destination_prefix(&key.destination.unwrap_or(any), length);
    selector
}

fn mark(key: &PolicyKey) -> XfrmAttrs {
    XfrmAttrs::Mark(Mark {
        value: key.mark,
        mask: OUR_PART,
    })
}

fn policy(key: PolicyKey, protection: Protection) -> PolicyMessage {
    let (priority, action) = match protection {
        Protection::Seal(_) => (SEALING, constants::XFRM_POLICY_ALLOW),
        Protection::Block => (BLOCKING, constants::XFRM_POLICY_BLOCK),
    };
    let info = UserPolicyInfo {
        selector: selector(&key),
        priority,
        direction: constants::XFRM_POLICY_OUT,
        action,
        ..UserPolicyInfo::default()
    };
    let mut nlas = vec![mark(&key)];
    if let (Protection::Seal(spi), Some(node)) = (protection, key.destination) {
        let template = UserTemplate {
            id: Id {
                daddr: Address::from_ip(&node),
                spi,
                proto: constants::IPPROTO_ESP,
            },
            family: info.selector.family,
            reqid: OURS,
            mode: constants::XFRM_MODE_TRANSPORT,
            aalgos: u32::MAX,
            ealgos: u32::MAX,
            calgos: u32::MAX,
            ..UserTemplate::default()
        };
        nlas.push(XfrmAttrs::Template(vec![template]));
    }
    PolicyMessage {
        user_policy_info: info,
        nlas,
    }
}

fn address(address: Address, family: u16) -> IpAddr {
    if family == constants::AF_INET6 {
        IpAddr::V6(address.to_ipv6())
    } else {
        IpAddr::V4(address.to_ipv4())
    }
}

/// Only what is needed is decoded, so that no copy of a key is made.
fn decode_state(payload: &[u8]) -> Result<Option<(StateId, StateRow)>, DecodeError> {
    let info = UserSaInfo::parse(payload)?;
    if info.reqid != OURS || info.id.spi == 0 {
        return Ok(None);
    }
    let behind = payload.get(netlink_packet_xfrm::XFRM_USER_SA_INFO_LEN..);
    let mut mark = None;
    for attribute in NlasIterator::new(behind.unwrap_or_default()) {
        let attribute = attribute?;
        if attribute.kind() == constants::XFRMA_SET_MARK {
            mark = Some(parse_u32(attribute.value())?);
        }
    }
    let id = StateId {
        destination: address(info.id.daddr, info.family),
        spi: info.id.spi,
    };
    let source = address(info.saddr, info.family);
    Ok(Some((id, StateRow { source, mark })))
}

fn decode_policy(payload: &[u8]) -> Result<Option<Policy>, DecodeError> {
    // The parser trusts the length.
    if payload.len() < netlink_packet_xfrm::XFRM_USER_POLICY_INFO_LEN {
        return Err(DecodeError::from("a policy is cut short"));
    }
    let PolicyMessage {
        user_policy_info: info,
        nlas,
    } = PolicyMessage::parse(payload)?;
    let is_block = info.action == constants::XFRM_POLICY_BLOCK;
    let is_ours = info.direction == constants::XFRM_POLICY_OUT
        && info.priority == if is_block { BLOCKING } else { SEALING };
    if !is_ours {
        return Ok(None);
    }
    let selector = info.selector;
    let mut key = PolicyKey {
        is_ipv6: selector.family == constants::AF_INET6,
        destination: None,
        port: selector.dport,
        mark: 0,
    };
    if selector.prefixlen_d > 0 {
        key.destination = Some(address(selector.daddr, selector.family));
    }
    let mut spi = 0;
    for attribute in nlas {
        if let XfrmAttrs::Mark(mark) = attribute {
            key.mark = mark.value;
        } else if let XfrmAttrs::Template(templates) = attribute {
            spi = templates.first().map_or(0, |template| template.id.spi);
        }
    }
    let protection = if is_block {
        Protection::Block
    } else {
        Protection::Seal(spi)
    };
    Ok(Some((key, protection)))
}

#[cfg(test)]
mod tests;
