//! Driver options of networks that mean something; others are kept and shown, as Docker does.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Refusal;
use crate::model::{Vni, subnet::least_mtu};

/// The network's packets are encrypted on the underlay.
const ENCRYPTED: &str = "encrypted";

/// Largest layer-3 packet inside the network, bytes.
const MTU: &str = "com.docker.network.driver.mtu";

/// The VNI; one, since all subnets of a network share it.
const VNI: &str = "com.docker.network.driver.overlay.vxlanid_list";

/// What the options say.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Options {
    pub(super) vni: Option<Vni>,
    pub(super) encrypted: bool,
    pub(super) mtu: Option<u32>,
}

/// Reads the options of a network with these subnets; `overhead` is how many bytes of outer headers
/// the underlay takes.
pub(super) fn read(
    options: &BTreeMap<String, String>,
    subnets: &[IpNet],
    overhead: u32,
) -> Result<Options, Refusal> {
    let get = |option: &str| options.get(option).map(String::as_str);
    let refuse = |option: &str, problem: String| Refusal::NetworkOption {
        option: option.to_owned(),
        value: get(option).unwrap_or_default().to_owned(),
        problem,
    };
    let vni = get(VNI).map(vni).transpose();
    let encrypted = get(ENCRYPTED).map_or(Ok(false), is_on);
    let mtu = get(MTU)
        .map(|text| mtu(text, subnets, overhead))
        .transpose();
    Ok(Options {
        vni: vni.map_err(|problem| refuse(VNI, problem))?,
        encrypted: encrypted.map_err(|problem| refuse(ENCRYPTED, problem))?,
        mtu: mtu.map_err(|problem| refuse(MTU, problem))?,
    })
}

fn vni(text: &str) -> Result<Vni, String> {
    let number: u32 = text
        .trim()
        .parse()
        .map_err(|_no_number| "name one VNI, a number from 1 to 16777215".to_owned())?;
    Vni::try_from(number).map_err(|error| error.to_string())
}

fn is_on(text: &str) -> Result<bool, String> {
    match text {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("it is on without a value, or `true` or `false`".to_owned()),
    }
}

fn mtu(text: &str, subnets: &[IpNet], overhead: u32) -> Result<u32, String> {
    let (family, least) = least_mtu(subnets);
    let most = u32::from(u16::MAX) - overhead;
    let number: u32 = text
        .trim()
        .parse()
        .map_err(|_no_number| format!("it is no number from {least} to {most}"))?;
    if number < least {
        Err(format!("it is too small: {family} needs {least}"))
    } else if number > most {
        Err(format!(
            "it is too big: {overhead} bytes of outer headers leave {most}"
        ))
    } else {
        Ok(number)
    }
}
