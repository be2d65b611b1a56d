//! Networks.

use super::{Row, joined};
use crate::api::types::NetworkInfo;

impl Row for NetworkInfo {
    const HEADERS: &'static [&'static str] = &["VNI", "NAME", "SUBNETS", "GATEWAYS", "MTU"];

    fn cells(&self, _in_full: bool) -> Vec<String> {
        vec![
            self.vni.to_string(),
            self.name.clone(),
            joined(&self.subnets),
            joined(&self.gateways),
            self.mtu.to_string(),
        ]
    }

    fn handle(&self, _in_full: bool) -> String {
        self.name.clone()
    }
}
