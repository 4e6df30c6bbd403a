//! The per-packet core of polyradio: one Wi-Fi NIC shared by many virtual machines.
//!
//! Layers, lowest first; a layer never imports one that stands below it in this list:
//!
//! - [`ids`], [`time`], [`frame_batch`]: numbers and containers with a type.
//! - [`wire`]: bytes to meaning and back, without state.
//! - [`host_api`]: the one message format between guest, host driver and device.
//! - [`security`]: CCM, CCMP, key slots, replay counters.
//! - [`air`]: the medium, who hears whom, airtime.
//! - [`device`]: the NIC: connection table, VM differentiator, virtual MACs.
//! - [`host`]: the host driver's data plane and the guests' ports.
//! - [`access_point`]: the data plane of the far end.
//! - [`runtime`]: wires the parts and moves the time, virtual or wall clock.
//! - [`bench`]: measured pieces of work for the benchmark.
//!
//! Not here: policy, connection state machines, arbitration, reports; those are Python's.
//! Promise: no panic, no hang, no unbounded growth on any input; no I/O outside `host::tap` and `runtime`, no clock outside
//! them and `bench`; no unsafe code outside the SIMD kernels of `security::ccmp`, the comparison of
//! `device::address_index`, the threads of `device::crew`, the one instruction of `prefetch`, the one call of `huge_pages` and
//! the C libraries of `bench::foreign`.

pub mod access_point;
pub mod air;
pub mod bench;
pub mod device;
pub mod frame_batch;
pub mod host;
pub mod host_api;
mod huge_pages;
pub mod ids;
mod prefetch;
pub mod runtime;
pub mod security;
pub mod time;
pub mod wire;
