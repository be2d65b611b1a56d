//! The `clsact` queueing discipline and the BPF filters that hang on it.

#[cfg(test)]
mod tests;

use netlink_packet_core::{DecodeError, NLM_F_ECHO, parse_u32};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcHandle, TcHeader, TcMessage},
};
use nix::libc;

use super::{
    Error, Socket,
    error::Failure,
    message::{attributes, text},
    socket::CREATE,
};

const HEADER_LENGTH: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;

const CLSACT: &str = "clsact";
const BPF: &str = "bpf";
const CLSACT_HANDLE: TcHandle = TcHandle {
    major: u16::MAX,
    minor: 0,
};

/// Which packets a filter sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Direction {
    /// Those the interface receives.
    Ingress,
    /// Those it sends.
    Egress,
}

/// A BPF filter on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BpfFilter {
    /// Interface it is on.
    pub ifindex: u32,
    /// Which packets it sees.
    pub direction: Direction,
    /// Place in the order; lower ones run first.
    pub priority: u16,
    /// Number among the filters of this priority.
    pub handle: u32,
    /// Ethernet protocol it sees, 3 (`ETH_P_ALL`) for all; host byte order.
    pub protocol: u16,
    /// Name it was attached with.
    pub name: Option<String>,
    /// Identifier of its program; none for a classic BPF filter.
    pub program_id: Option<u32>,
}

impl Direction {
    fn parent(self) -> TcHandle {
        let minor = match self {
            Self::Ingress => TcHandle::MIN_INGRESS,
            Self::Egress => TcHandle::MIN_EGRESS,
        };
        TcHandle {
            major: u16::MAX,
            minor,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl BpfFilter {
    /// Nothing for filters of another kind, and for the headings under which the kernel lists them.
    fn decode(direction: Direction, payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = TcHeader::parse(payload)?;
        let mut filter_kind = None;
        let mut options: &[u8] = &[];
        for attribute in attributes(payload, HEADER_LENGTH) {
            let (kind, value) = attribute?;
            match kind {
                TCA_KIND => filter_kind = Some(text(value)),
                TCA_OPTIONS => options = value,
                _ => {}
            }
        }
        let handle = u32::from(header.handle);
        if filter_kind.as_deref() != Some(BPF) || handle == 0 {
            return Ok(None);
        }

        let [priority, protocol] = split(header.info);
        let mut filter = Self {
            ifindex: header.index.cast_unsigned(),
            direction,
            priority,
            handle,
            protocol: u16::from_be(protocol),
            name: None,
            program_id: None,
        };
        for option in attributes(options, 0) {
            let (kind, value) = option?;
            match kind {
                TCA_BPF_NAME => filter.name = Some(text(value)),
                TCA_BPF_ID => filter.program_id = Some(parse_u32(value)?),
                _ => {}
            }
        }
        Ok(Some(filter))
    }
}

impl Socket {
    /// Whether an interface has the discipline that BPF filters need.
    pub fn has_clsact(&mut self, ifindex: u32) -> Result<bool, Error> {
        let message = request(ifindex, TcHandle::CLSACT);
        let message = RouteNetlinkMessage::GetQueueDiscipline(message);
        // Without it the kernel answers this request to everybody but the one who asks.
        match self.find(message, NLM_F_ECHO, decode_kind) {
            Ok(kind) => Ok(kind.flatten().as_deref() == Some(CLSACT)),
            Err(failure) if is_no_discipline(&failure) => Ok(false),
            Err(failure) => {
                let interface = self.describe(ifindex);
                Err(failure.during("find", format!("the {CLSACT} qdisc of {interface}")))
            }
        }
    }

    /// Adds the discipline; fails with an error that [is exists](Error::is_exists) if it is there
    /// already, or an `ingress` one in its place.
    pub fn add_clsact(&mut self, ifindex: u32) -> Result<(), Error> {
        self.change(
            RouteNetlinkMessage::NewQueueDiscipline(clsact(ifindex)),
            CREATE,
        )
        .map_err(|failure| {
            failure.during(
                "add",
                format!("{CLSACT} qdisc to {}", self.describe(ifindex)),
            )
        })
    }

    /// Deletes the discipline and all filters on it, whoever made them.
    pub fn delete_clsact(&mut self, ifindex: u32) -> Result<(), Error> {
        self.change(RouteNetlinkMessage::DelQueueDiscipline(clsact(ifindex)), 0)
            .map_err(|failure| {
                failure.during(
                    "delete",
                    format!("the {CLSACT} qdisc of {}", self.describe(ifindex)),
                )
            })
    }

    /// The BPF filters of an interface in one direction, in the order they run. None, not an error,
    /// if the interface or its discipline is gone.
    pub fn bpf_filters(
        &mut self,
        ifindex: u32,
        direction: Direction,
    ) -> Result<Vec<BpfFilter>, Error> {
        let message = request(ifindex, direction.parent());
        self.dump(&RouteNetlinkMessage::GetTrafficFilter(message), |payload| {
            BpfFilter::decode(direction, payload)
        })
        .map_err(|failure| {
            let interface = self.describe(ifindex);
            failure.during(
                "list",
                format!("the {} filters of {interface}", direction.name()),
            )
        })
    }

    /// Deletes one filter, found by its interface, direction, priority, protocol and handle.
    pub fn delete_bpf_filter(&mut self, filter: &BpfFilter) -> Result<(), Error> {
        let mut message = request(filter.ifindex, filter.direction.parent());
        message.header.handle = filter.handle.into();
        message.header.info = u32::from(filter.priority) << 16 | u32::from(filter.protocol.to_be());
        message.attributes = vec![TcAttribute::Kind(BPF.to_owned())];
        self.change(RouteNetlinkMessage::DelTrafficFilter(message), 0)
            .map_err(|failure| {
                let BpfFilter {
                    priority, handle, ..
                } = filter;
                let direction = filter.direction.name();
                let interface = self.describe(filter.ifindex);
                failure.during(
                    "delete",
                    format!("BPF filter {priority}/{handle} at {direction} of {interface}"),
                )
            })
    }
}

fn request(ifindex: u32, parent: TcHandle) -> TcMessage {
    let mut message = TcMessage::with_index(ifindex.cast_signed());
    message.header.parent = parent;
    message
}

fn clsact(ifindex: u32) -> TcMessage {
    let mut message = request(ifindex, TcHandle::CLSACT);
    message.header.handle = CLSACT_HANDLE;
    message.attributes = vec![TcAttribute::Kind(CLSACT.to_owned())];
    message
}

fn decode_kind(payload: &[u8]) -> Result<Option<String>, DecodeError> {
    for attribute in attributes(payload, HEADER_LENGTH) {
        let (kind, value) = attribute?;
        if kind == TCA_KIND {
            return Ok(Some(text(value)));
        }
    }
    Ok(None)
}

/// Before the first discipline, and on some kernels again after the last one.
fn is_no_discipline(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { source, .. } => {
            matches!(source.raw_os_error(), Some(libc::ENOENT | libc::EINVAL))
        }
        Failure::Malformed(_) | Failure::Inconsistent => false,
    }
}

/// The upper and the lower half.
fn split(info: u32) -> [u16; 2] {
    let TcHandle { major, minor } = info.into();
    [major, minor]
}
