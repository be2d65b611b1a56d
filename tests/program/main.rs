//! Each program run by the kernel (`BPF_PROG_TEST_RUN`) on packets made here, with all counters compared
//! after every packet.

mod encrypted;
mod fixture;
mod from_container;
mod from_underlay;
mod mutation;
mod outside;
mod packet;
mod published;
mod service;
mod services;
mod sockets;
