//! What this kernel can do, found out by trying where that is cheap.

use aya::{
    maps::MapType,
    programs::{ProgramType, SchedClassifier, TcAttachType},
    sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported},
};
use nix::sys::utsname::uname;

use super::{Error, attach::cgroup};
use crate::model::Attach;

/// A device that every namespace has.
const LOOPBACK: &str = "lo";

/// How programs are attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttachMode {
    /// TCX links.
    Tcx,
    /// Filters of a clsact queueing discipline.
    Clsact,
}

/// A feature that is not there and can be done without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Missing {
    /// Its name, with the release that brought it.
    pub feature: &'static str,
    /// What its absence costs.
    pub costs: &'static str,
}

/// What this kernel can do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Features {
    /// The kernel's release.
    pub kernel: String,
    /// How programs are attached.
    pub attach: AttachMode,
    /// Whether a packet of one family can be taken out of one of the other.
    pub decap_l3: bool,
    /// What the programs at sockets can do; `None` where there can be none.
    pub sockets: Option<SocketHooks>,
    /// What is not there.
    pub missing: Vec<Missing>,
}

/// What the programs at sockets can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SocketHooks {
    /// Whether they can say why they refuse (Linux 5.18).
    pub can_explain: bool,
}

impl Features {
    /// Tries the kernel out. Fails if something is missing without which nothing works, or that was
    /// wished for.
    pub fn probe(wish: Attach) -> Result<Self, Error> {
        let kernel = uname().map_or_else(
            |_never| String::new(),
            |name| name.release().to_string_lossy().into_owned(),
        );
        require(&kernel)?;
        let has_tcx = SchedClassifier::query_tcx(LOOPBACK, TcAttachType::Ingress).is_ok();
        let attach = match wish {
            Attach::Tcx if !has_tcx => {
                return Err(unsupported(&kernel, "attaching by TCX links", "6.6"));
            }
            Attach::Tcx | Attach::Auto if has_tcx => AttachMode::Tcx,
            Attach::Tcx | Attach::Auto | Attach::Clsact => AttachMode::Clsact,
        };
        // A flag cannot be tried without a packet of the right kind.
        let decap_l3 = release(&kernel) >= (6, 3);

        let mut missing = Vec::new();
        if !has_tcx {
            missing.push(Missing {
                feature: "TCX links (Linux 6.6)",
                costs: "programs hang on clsact filters, which any other tool can delete; the audit restores them",
            });
        }
        if !decap_l3 {
            missing.push(Missing {
                feature: "decapsulation across families (Linux 6.3)",
                costs: "IPv6 packets on an IPv4 underlay, and the reverse, arrive through the kernel's vxlan device, which is slower",
            });
        }
        let sockets = match probe_sockets(&kernel) {
            Ok(sockets) => Some(sockets),
            Err(lacking) => {
                missing.push(lacking);
                None
            }
        };
        Ok(Self {
            kernel,
            attach,
            decap_l3,
            sockets,
            missing,
        })
    }
}

fn require(kernel: &str) -> Result<(), Error> {
    let unsupported = |feature, since| unsupported(kernel, feature, since);
    let helper = BpfHelper::BPF_FUNC_redirect_peer;
    let has_redirect_peer = is_helper_supported(ProgramType::SchedClassifier, helper);
    if !has_redirect_peer.map_err(|source| probe_failed("redirect_peer", source))? {
        return Err(unsupported(
            "redirection into a container (bpf_redirect_peer)",
            "5.10",
        ));
    }
    let has_ring_buffer = is_map_supported(MapType::RingBuf)
        .map_err(|source| probe_failed("ring buffer", source.into()))?;
    if !has_ring_buffer {
        return Err(unsupported("the BPF ring buffer", "5.8"));
    }
    if release(kernel) < (5, 13) {
        return Err(unsupported(
            "encapsulation of whole Ethernet frames",
            "5.13",
        ));
    }
    Ok(())
}

/// Programs at sockets need a hierarchy of cgroups to hang on and a name for namespaces.
fn probe_sockets(kernel: &str) -> Result<SocketHooks, Missing> {
    const COSTS: &str = "services are balanced packet by packet only, and processes of the host reach published ports by other nodes' addresses only";
    let lacking = |feature| Missing {
        feature,
        costs: COSTS,
    };
    if !is_program_supported(ProgramType::CgroupSockAddr).unwrap_or(false) {
        return Err(lacking("programs at sockets (CONFIG_CGROUP_BPF)"));
    }
    if release(kernel) < (5, 14) {
        return Err(lacking("cookies of network namespaces (Linux 5.14)"));
    }
    if cgroup::root().is_err() {
        return Err(lacking("a cgroup2 hierarchy that can be mounted"));
    }
    let helper = BpfHelper::BPF_FUNC_set_retval;
    let can_explain = is_helper_supported(ProgramType::CgroupSockAddr, helper);
    Ok(SocketHooks {
        can_explain: can_explain.unwrap_or(false),
    })
}

fn unsupported(kernel: &str, feature: &'static str, since: &'static str) -> Error {
    Error::Unsupported {
        feature,
        kernel: kernel.to_owned(),
        since,
    }
}

fn probe_failed(program: &'static str, source: aya::programs::ProgramError) -> Error {
    Error::Program {
        operation: "probe the kernel with",
        program,
        source,
    }
}

/// Major and minor number.
fn release(kernel: &str) -> (u32, u32) {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit());
    let mut next = || {
        numbers
            .next()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    };
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(release("6.18.44-fc-v669"), (6, 18));
        assert_eq!(release("6.1.0-28-amd64"), (6, 1));
        assert_eq!(release("5.13"), (5, 13));
        assert!(release("6.10.1") > release("6.6.0"));
        assert_eq!(release(""), (0, 0));
    }
}
