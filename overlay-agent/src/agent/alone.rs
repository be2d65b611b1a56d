//! The data plane without an agent around it, for measuring what filling its tables takes.

use super::{Error, shared::capacity, start::datapath_config, traffic::KernelTraffic};
use crate::{
    datapath::{Features, KernelDatapath, MapUse, Pins, map_uses},
    settings::Settings,
};

/// Programs that nothing is attached to, and tables that only its owner writes. They stay in the run directory's bpffs until that is unmounted.
#[derive(Debug)]
pub struct DatapathAlone {
    /// What writes.
    pub datapath: KernelDatapath,
    settings: Settings,
    pins: Pins,
}

impl DatapathAlone {
    /// Loads the programs as an agent with these settings does, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn load(settings: Settings) -> Result<Self, Error> {
        let features = Features::probe(settings.attach)?;
        let pins = Pins::prepare(&settings.run_dir, &capacity(&settings))?;
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let config = datapath_config(&settings, address, &features, 1);
        let traffic = KernelTraffic::open()?;
        let mode = features.attach;
        let datapath =
            KernelDatapath::load(pins.clone(), config, mode, traffic, &settings.run_dir)?;
        Ok(Self {
            datapath,
            settings,
            pins,
        })
    }

    /// Size and memory of every table.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn uses(&self) -> Result<Vec<MapUse>, Error> {
        Ok(map_uses(&self.pins, &capacity(&self.settings))?)
    }
}
