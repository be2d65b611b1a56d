//! Traffic control, over netlink.

use super::shared::Shared;
use crate::{
    control::{self, Filter, PortError, PortErrorKind, TrafficControl},
    datapath::{self, KernelInspector},
    netlink::{BpfFilter, Direction, Error, Socket},
};

/// `ETH_P_ALL`: our filters see every packet.
const ALL_PROTOCOLS: u16 = 3;

/// Asks and changes the kernel's traffic control.
#[derive(Debug)]
pub(super) struct KernelTraffic {
    socket: Socket,
}

impl KernelTraffic {
    /// Works in the calling thread's network namespace.
    pub(super) fn open() -> Result<Box<Self>, PortError> {
        let socket = Socket::open().map_err(|error| failed("open", "traffic control", error))?;
        Ok(Box::new(Self { socket }))
    }
}

/// Opens the data plane beside the owner, to read it.
pub(super) fn inspect(shared: &Shared) -> Result<KernelInspector, datapath::Error> {
    KernelInspector::open(&shared.pins, shared.features.attach, KernelTraffic::open()?)
}

impl TrafficControl for KernelTraffic {
    fn devices(&mut self) -> Result<Vec<u32>, PortError> {
        let links = self.socket.links();
        let links = links.map_err(|error| failed("list", "the interfaces", error))?;
        Ok(links.iter().map(|link| link.ifindex).collect())
    }

    fn filters(
        &mut self,
        ifindex: u32,
        direction: control::Direction,
    ) -> Result<Vec<Filter>, PortError> {
        let filters = self.socket.bpf_filters(ifindex, kernels(direction));
        let filters = filters.map_err(|error| failed("list", filters_of(ifindex), error))?;
        let filter = |filter: BpfFilter| Filter {
            ifindex,
            direction,
            priority: filter.priority,
            handle: filter.handle,
            name: filter.name,
            program_id: filter.program_id,
        };
        Ok(filters.into_iter().map(filter).collect())
    }

    fn delete_filter(&mut self, filter: &Filter) -> Result<(), PortError> {
        let wanted = BpfFilter {
            ifindex: filter.ifindex,
            direction: kernels(filter.direction),
            priority: filter.priority,
            handle: filter.handle,
            protocol: ALL_PROTOCOLS,
            name: None,
            program_id: None,
        };
        match self.socket.delete_bpf_filter(&wanted) {
            Err(error) if !error.is_not_found() => {
                Err(failed("delete", filters_of(filter.ifindex), error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn add_discipline(&mut self, ifindex: u32) -> Result<bool, PortError> {
        match self.socket.add_clsact(ifindex) {
            Ok(()) => Ok(true),
            Err(error) if error.is_exists() => Ok(false),
            Err(error) => Err(failed("add", discipline_of(ifindex), error)),
        }
    }

    fn remove_unused_discipline(&mut self, ifindex: u32) -> Result<(), PortError> {
        for direction in [Direction::Ingress, Direction::Egress] {
            let filters = self.socket.bpf_filters(ifindex, direction);
            let filters = filters.map_err(|error| failed("list", filters_of(ifindex), error))?;
            if !filters.is_empty() {
                return Ok(());
            }
        }
        match self.socket.delete_clsact(ifindex) {
            Err(error) if !error.is_not_found() => {
                Err(failed("remove", discipline_of(ifindex), error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn kernels(direction: control::Direction) -> Direction {
    match direction {
        control::Direction::Ingress => Direction::Ingress,
        control::Direction::Egress => Direction::Egress,
    }
}

fn filters_of(ifindex: u32) -> String {
    format!("filters of interface {ifindex}")
}

fn discipline_of(ifindex: u32) -> String {
    format!("the clsact discipline of interface {ifindex}")
}

fn failed(operation: &'static str, object: impl std::fmt::Display, error: Error) -> PortError {
    let kind = if error.is_not_found() {
        PortErrorKind::Gone
    } else {
        PortErrorKind::Other
    };
    PortError::new(operation, object, kind, error)
}
