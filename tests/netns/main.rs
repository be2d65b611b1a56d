//! Real agents, real packets: hosts and containers made of network namespaces. Needs root.

mod commands;
mod drift;
mod encryption;
mod fragments;
mod idle;
mod interop;
mod isolation;
mod lifecycle;
mod modes;
mod mtu;
mod outside;
mod pinned;
mod published;
mod refusals;
mod scene;
mod service;
mod sockets;
mod spoofing;
mod sudden_end;
mod traces;
mod uninstall;
mod walks;
