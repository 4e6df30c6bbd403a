//! The security module (630): CCM, CCMP, key slots and replay counters.
//!
//! Keys are wiped when dropped, compared in constant time and never printed.
//! Not here: which key belongs to whom (`device::connection_table`), handshakes (Python's `rsn`).
//! Promise: a packet number is used once per key; plaintext whose tag is wrong never leaves this module.

pub mod ccm;
pub mod ccmp;
pub mod ccmp_batch;
pub mod key_slot;
pub mod replay;
