//! Requests to the kernel and its answers.

use std::io;

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE,
    NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{SocketAddr, protocols::NETLINK_ROUTE};
use nix::{
    libc,
    sys::{
        socket::{setsockopt, sockopt::ReceiveTimeout},
        time::TimeVal,
    },
};
use tracing::debug;

use super::{
    Error, Namespace,
    error::Failure,
    message::{Messages, Verdict},
};

/// Longer than any answer: the kernel cuts dumps into datagrams of at most 32 KiB.
const DATAGRAM_LENGTH: usize = 64 << 10;

/// The kernel answers before `send` returns, so waiting this long means that it never will.
const ANSWER_TIMEOUT_SECONDS: i64 = 30;

/// How often a table that changes under the listing is listed anew.
const DUMP_ATTEMPTS: u32 = 16;

/// Make a new object, and fail if it is there already.
pub(super) const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Makes the object, or puts it in the place of the one that is there.
pub(super) const REPLACE: u16 = NLM_F_CREATE | NLM_F_REPLACE;

/// A netlink socket, for routes and links unless opened for something else. It stays in the namespace it was opened in, whatever thread uses it.
#[derive(Debug)]
pub struct Socket {
    kernel: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        let socket = Self::open_for(NETLINK_ROUTE);
        socket.map_err(|failure| failure.during("open", "a netlink socket"))
    }

    /// Opens a socket of another netlink protocol in the calling thread's network namespace.
    pub(super) fn open_for(protocol: isize) -> Result<Self, Failure> {
        Ok(Self {
            kernel: connect(protocol)?,
            sequence: 0,
            buffer: vec![0; DATAGRAM_LENGTH],
        })
    }

    /// Opens a socket in another network namespace.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        namespace.run(Self::open)?
    }

    /// Changes something. `flags` are added to those of every request.
    pub(super) fn change<M: Request>(&mut self, message: M, flags: u16) -> Result<(), Failure> {
        let request = self.send(message, NLM_F_ACK | flags)?;
        self.receive(&request, |_echo| Ok(()))
            .map(|_is_consistent| ())
    }

    /// Asks for one object.
    pub(super) fn get<T>(
        &mut self,
        message: RouteNetlinkMessage,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, Failure> {
        self.find(message, 0, decode)?
            .ok_or_else(|| DecodeError::from("it is empty").into())
    }

    /// Asks for one object where the kernel may say yes and send nothing.
    pub(super) fn find<T>(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, Failure> {
        let mut answer = None;
        let request = self.send(message, NLM_F_ACK | flags)?;
        self.receive(&request, |payload| {
            answer = Some(decode(payload)?);
            Ok(())
        })?;
        Ok(answer)
    }

    /// Asks for all objects; `decode` returns nothing for those that the caller does not want.
    pub(super) fn dump<T, M: Request + Clone>(
        &mut self,
        message: &M,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
    ) -> Result<Vec<T>, Failure> {
        for _attempt in 0..DUMP_ATTEMPTS {
            let mut answers = Vec::new();
            let request = self.send(message.clone(), NLM_F_DUMP)?;
            let is_consistent = self.receive(&request, |payload| {
                answers.extend(decode(payload)?);
                Ok(())
            })?;
            if is_consistent {
                return Ok(answers);
            }
        }
        Err(Failure::Inconsistent)
    }

    fn send<M: Request>(&mut self, message: M, flags: u16) -> Result<Pending, Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message: NetlinkMessage<M> = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        retry_interrupted(|| self.kernel.send(&bytes, 0))?;
        Ok(Pending {
            sequence: self.sequence,
            is_dump: flags & NLM_F_DUMP == NLM_F_DUMP,
        })
    }

    /// Reads to the end of the answer even if a part of it is bad, because the kernel refuses the
    /// next dump while one is under way. Returns whether all parts show the same state.
    fn receive(
        &mut self,
        request: &Pending,
        mut on_answer: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<bool, Failure> {
        let mut is_consistent = true;
        let mut malformed = None;
        loop {
            let length = match read_datagram(&self.kernel, &mut self.buffer) {
                Ok(length) => length,
                // A dump goes on after it; any other answer is lost.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && request.is_dump => {
                    is_consistent = false;
                    continue;
                }
                Err(error) => return Err(explain_timeout(error).into()),
            };
            for message in Messages::new(&self.buffer[..length]) {
                let message = message?;
                // The late end of a request that was given up.
                if message.header.sequence_number != request.sequence {
                    continue;
                }
                is_consistent &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.header.message_type {
                    NLMSG_NOOP => {}
                    NLMSG_OVERRUN => is_consistent = false,
                    NLMSG_ERROR | NLMSG_DONE => {
                        check(Verdict::parse(&message)?)?;
                        return malformed
                            .map_or(Ok(is_consistent), |error| Err(Failure::from(error)));
                    }
                    _ => malformed = malformed.or(on_answer(message.payload).err()),
                }
            }
        }
    }
}

/// A message that asks the kernel for something.
pub(super) trait Request: NetlinkSerializable + Into<NetlinkPayload<Self>> {}

impl<M: NetlinkSerializable + Into<NetlinkPayload<M>>> Request for M {}

/// A request that waits for its answer.
struct Pending {
    sequence: u32,
    is_dump: bool,
}

fn check(Verdict { code, remark }: Verdict) -> Result<(), Failure> {
    if code != 0 {
        let source = io::Error::from_raw_os_error(code.saturating_neg());
        return Err(Failure::Refused { remark, source });
    }
    if let Some(remark) = remark {
        debug!(remark, "the kernel obeyed and remarked");
    }
    Ok(())
}

/// A socket that only the kernel can talk to.
fn connect(protocol: isize) -> Result<netlink_sys::Socket, Failure> {
    let socket = netlink_sys::Socket::new(protocol)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_ext_ack(true)?;
    socket.set_cap_ack(true)?;
    // Without it the kernel ignores the filters of a dump and sends the whole table.
    socket.set_netlink_get_strict_chk(true)?;
    setsockopt(
        &socket,
        ReceiveTimeout,
        &TimeVal::new(ANSWER_TIMEOUT_SECONDS, 0),
    )?;
    Ok(socket)
}

/// Reads one whole datagram to the start of the buffer; returns its length.
fn read_datagram(socket: &netlink_sys::Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let length = retry_interrupted(|| socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC))?;
    if length > buffer.len() {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok(length)
}

fn explain_timeout(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::WouldBlock {
        return error;
    }
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the kernel did not answer within {ANSWER_TIMEOUT_SECONDS} s"),
    )
}

fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
