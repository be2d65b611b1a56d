//! Encryption on the underlay.

use super::{fail, ok, warn};
use crate::{agent::shared::Shared, api::types::Check};

const NAME: &str = "encryption";

/// Kernels from this one on can have a state for each processor.
const PER_CPU_STATES: (u32, u32) = (6, 13);

/// Whether packets of encrypted networks are encrypted; nothing is said outside a swarm.
pub(super) fn encryption(shared: &Shared) -> Vec<Check> {
    let Some(status) = shared.encryption() else {
        return Vec::new();
    };
    let trouble = status.trouble.clone().unwrap_or_default();
    let check = if !status.available && status.networks == 0 {
        ok(
            NAME,
            format!("not possible here ({trouble}), and no network needs it"),
        )
    } else if !status.available {
        fail(
            NAME,
            format!(
                "not possible here: {trouble}; containers of this node cannot join encrypted networks"
            ),
            "load the kernel's modules: `modprobe -a xfrm_user esp4 esp6 gcm`; or use another kernel",
        )
    } else if !trouble.is_empty() {
        fail(
            NAME,
            trouble,
            "remove the cause; the agent tries again every second",
        )
    } else if status.settled < status.partners {
        warn(
            NAME,
            format!(
                "{} of {} nodes use the present keys in both directions",
                status.settled, status.partners
            ),
            "look at `overlay node ls`: a node that does not answer has none; others follow within seconds",
        )
    } else {
        let kept = if release(&shared.features.kernel) >= Some(PER_CPU_STATES) {
            "one for all processors (this kernel could have one for each)"
        } else {
            "one for all processors"
        };
        let generation = status
            .generation
            .map_or_else(|| "none".to_owned(), |number| number.to_string());
        ok(
            NAME,
            format!(
                "ESP with AES-GCM; {} networks, generation {generation} with {} nodes, {} states, {kept}, {} \
                 policies; not offloaded to the device",
                status.networks, status.settled, status.states, status.policies
            ),
        )
    };
    vec![check]
}

/// Major and minor number.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(release("6.1.0-37-amd64"), Some((6, 1)));
        assert_eq!(release("6.18.44"), Some((6, 18)));
        assert!(release("6.2") < Some(PER_CPU_STATES));
        assert_eq!(release("x"), None);
    }
}
