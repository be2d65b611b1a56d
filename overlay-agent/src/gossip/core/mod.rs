//! The gossip as one state machine: bytes, timers and wishes in, [`Effect`]s out. It has no socket and
//! no clock; `now` is the time since any fixed moment and never goes back.
//!
//! ```text
//! Gossip::new(Settings, Vec<Claim>) -> Gossip                          claims that the node has at start
//! start(&mut self, now, &mut Vec<Effect>)                              once, after members_known
//! members_known(&mut self, BTreeMap<NodeId, SocketAddr>, now, fx)      all nodes of the managers' view
//! handle_datagram(&mut self, from: NodeId, &[u8], now, fx) -> Result<(), Refused>
//! handle_timer(&mut self, Timer, now, fx)
//! claim(&mut self, Claim, now, fx) -> Result<(), ClaimError>           attends its network, too
//! withdraw(&mut self, Vni, IpAddr, now, fx) -> bool                    whether there was a claim
//! attend(&mut self, Vni, now, fx)
//! leave_network(&mut self, Vni, now, fx)
//! leave(&mut self, now, fx)                                            the node goes
//! begin_exchange(&mut self, with: NodeId) -> Exchange                  after Effect::Exchange
//! accept_exchange(&mut self, from: NodeId) -> Result<Exchange, Refused>   for a stream that came in
//! next_frame(&mut self, &mut Exchange) -> Option<Vec<u8>>              at most FRAME bytes
//! handle_frame(&mut self, &mut Exchange, &[u8], now, fx) -> Result<(), Refused>
//! end_exchange(&mut self, Exchange, now, fx)                           always, however it ended
//! observed(&self) -> Observed
//! take_changes(&mut self) -> Changes
//! counters(&self) -> Counters
//! ```
//!
//! An exchange speaks in turns, so neither side ever waits for the other to read: write what
//! `next_frame` gives until it gives `None`; stop if `Exchange::is_over`; else read one frame, give it
//! to `handle_frame`, and start again. The stream has to keep frames apart.

mod effect;
mod error;
mod identity;
mod settings;
mod timer;

pub use effect::{Changes, Counters, Effect, Event};
pub use error::{ClaimError, Refused};
pub use settings::{Pace, Settings};
pub use timer::Timer;

/// Largest frame of an exchange, bytes before encryption.
pub const FRAME: usize = 60_000;
