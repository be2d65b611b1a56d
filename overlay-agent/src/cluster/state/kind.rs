//! What kind each refusal is of.

use super::Refusal;

/// What kind of refusal it is; decides how the API answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalKind {
    /// The request makes no sense.
    BadRequest,
    /// Whoever asks may not have it.
    Forbidden,
    /// It names something that is not there.
    NotFound,
    /// It wants what is taken, or what the moment forbids.
    Conflict,
}

impl Refusal {
    /// What kind of refusal it is.
    pub fn kind(&self) -> RefusalKind {
        use RefusalKind::{BadRequest, Conflict, Forbidden, NotFound};
        match self {
            Self::Service(refusal) => refusal.kind(),
            Self::DataPathPort { .. }
            | Self::MaskLength { .. }
            | Self::PoolsOverlap { .. }
            | Self::AmbiguousNode { .. }
            | Self::Hostname { .. }
            | Self::NotForUnderlay { .. }
            | Self::MixedFamilies { .. }
            | Self::NoKey { .. }
            | Self::WeakToken { .. }
            | Self::SameAuthority
            | Self::TooShort { .. }
            | Self::AmbiguousNetwork { .. }
            | Self::NetworkName { .. }
            | Self::NetworkOption { .. }
            | Self::NoFamily
            | Self::HostBits { .. }
            | Self::SubnetTooSmall { .. }
            | Self::NotForContainers { .. }
            | Self::SubnetsOverlap { .. }
            | Self::NoMatchingSubnet { .. }
            | Self::RangesInOneSubnet { .. }
            | Self::GatewaysInOneSubnet { .. }
            | Self::NotAHost { .. }
            | Self::NothingAsked { .. }
            | Self::NoSubnetOfFamily { .. }
            | Self::OutsideSubnets { .. }
            | Self::IngressAttachable
            | Self::GivenBackTwice { .. } => BadRequest,
            Self::NodeRemoved { .. } | Self::PredefinedName { .. } => Forbidden,
            Self::NoNode { .. }
            | Self::NoLabel { .. }
            | Self::NoNetwork { .. }
            | Self::NotLeased { .. } => NotFound,
            Self::NoCluster
            | Self::ClusterExists
            | Self::AddressTaken { .. }
            | Self::LastManager { .. }
            | Self::QuorumLoss { .. }
            | Self::IsManager { .. }
            | Self::NotDown { .. }
            | Self::NoAuthorityRotation
            | Self::AuthorityOvertaken
            | Self::AuthorityRotationUnfinished { .. }
            | Self::KeyInUse { .. }
            | Self::NetworkExists { .. }
            | Self::NetworkIdTaken { .. }
            | Self::VniTaken { .. }
            | Self::NoVni
            | Self::SubnetTaken { .. }
            | Self::HostRoute { .. }
            | Self::PoolsExhausted { .. }
            | Self::NetworkInUse { .. }
            | Self::NetworkOfService { .. }
            | Self::IngressInUse { .. }
            | Self::IngressPresent { .. }
            | Self::AddressesExhausted { .. }
            | Self::Reserved { .. }
            | Self::AddressInUse { .. } => Conflict,
        }
    }
}
