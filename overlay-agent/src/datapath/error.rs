//! Why the data plane could not be loaded, read or changed.

use std::{io, path::PathBuf};

use aya::{
    EbpfError,
    maps::MapError,
    pin::PinError,
    programs::{ProgramError, links::LinkError, tc::TcError},
    sys::SyscallError,
};
use nix::libc;

use crate::control::{PortError, PortErrorKind};

/// A failure of the data plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel is too old.
    #[error("kernel {kernel} lacks {feature}; run Linux {since} or newer")]
    Unsupported {
        /// What is missing.
        feature: &'static str,
        /// The release that runs.
        kernel: String,
        /// The release that brought it.
        since: &'static str,
    },
    /// A file or directory could not be used.
    #[error("could not {operation} {}", .path.display())]
    File {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The object was refused as a whole.
    #[error("could not load the BPF object")]
    Object {
        /// What aya says.
        source: EbpfError,
    },
    /// The object lacks a program, or it is of another type.
    #[error("BUG: the BPF object has no TC program {program}; it was built from another version")]
    NoProgram {
        /// Its name.
        program: &'static str,
    },
    /// The verifier or the kernel refused a program.
    #[error("could not {operation} program {program}")]
    Program {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// Its name.
        program: &'static str,
        /// What aya says.
        source: ProgramError,
    },
    /// A map could not be used.
    #[error("could not {operation} map {map}")]
    Map {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// Its name.
        map: &'static str,
        /// What aya says.
        source: MapError,
    },
    /// A map is not what this version expects.
    #[error(
        "BUG: map {map} has {what} {actual}, not {expected}; the BPF object was built from another version"
    )]
    Mismatch {
        /// Its name.
        map: &'static str,
        /// What differs.
        what: &'static str,
        /// What it is.
        actual: String,
        /// What it should be.
        expected: String,
    },
    /// A program could not be pinned.
    #[error("could not pin {}", .path.display())]
    Pin {
        /// Where.
        path: PathBuf,
        /// What aya says.
        source: PinError,
    },
    /// A link could not be used.
    #[error("could not {operation} the link {}", .path.display())]
    Link {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// Where it is pinned.
        path: PathBuf,
        /// What aya says.
        source: LinkError,
    },
    /// A device is not there any more.
    #[error("interface {ifindex} is gone")]
    NoDevice {
        /// Its index.
        ifindex: u32,
    },
    /// Filters or their discipline could not be listed or changed.
    #[error(transparent)]
    TrafficControl(#[from] PortError),
}

impl Error {
    /// How a caller may react.
    pub fn kind(&self) -> PortErrorKind {
        let errno = match self {
            Self::NoDevice { .. } => return PortErrorKind::Gone,
            Self::Program { source, .. } => program_errno(source),
            Self::Map { source, .. } => {
                return match map_errno(source) {
                    Some(libc::E2BIG | libc::ENOSPC) => PortErrorKind::Full,
                    _ => PortErrorKind::Other,
                };
            }
            Self::TrafficControl(error) => return error.kind,
            Self::Unsupported { .. }
            | Self::File { .. }
            | Self::Object { .. }
            | Self::NoProgram { .. }
            | Self::Mismatch { .. }
            | Self::Pin { .. }
            | Self::Link { .. } => None,
        };
        match errno {
            Some(libc::ENODEV) => PortErrorKind::Gone,
            _ => PortErrorKind::Other,
        }
    }
}

/// The kernel's error number behind a failed operation on a program, if it gave one.
pub(super) fn program_errno(error: &ProgramError) -> Option<i32> {
    if let ProgramError::SyscallError(SyscallError { io_error, .. })
    | ProgramError::TcError(TcError::IoError(io_error))
    | ProgramError::IOError(io_error) = error
    {
        return io_error.raw_os_error();
    }
    if let ProgramError::TcError(TcError::NetlinkError(error)) | ProgramError::NetlinkError(error) =
        error
    {
        return error.raw_os_error();
    }
    None
}

/// The kernel's error number behind a failed operation on a map, if it gave one.
pub(super) fn map_errno(error: &MapError) -> Option<i32> {
    if let MapError::SyscallError(SyscallError { io_error, .. }) | MapError::IoError(io_error) =
        error
    {
        return io_error.raw_os_error();
    }
    matches!(error, MapError::KeyNotFound).then_some(libc::ENOENT)
}
