//! Bytes to meaning and back, without state.
//!
//! A *view* borrows octets whose length was checked once and whose accessors cannot fail; a *repr* owns the small set of
//! values that make sense, with `parse` and `emit`. Every number from the air that is unknown survives a round trip.
//!
//! Not here: what a frame means to a connection, keys, decisions.
//! Promise: any octets parse or give a [`ParseError`] that says what was needed, what was there, and where; no panic.

pub mod capture;
pub mod data;
pub mod eapol_key;
pub mod element;
mod error;
pub mod ethernet;
pub mod frame_control;
pub mod mac_header;
pub mod management;
pub mod pcap;
pub mod pcapng;
pub mod radiotap;
pub mod rsn_element;

pub use error::ParseError;
