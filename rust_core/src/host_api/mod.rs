//! The host API: the one message format between VM, host driver and NIC (US 8,392,625, FIG. 6).
//!
//! A message is a [`Header`] and a payload. Three kinds: a *call* goes down, its *completion* comes up with the same
//! sequence number, a *device-initiated call* comes up by itself. Above the host driver the identifier field holds a
//! [`VmId`](crate::ids::VmId), below it a [`VrId`](crate::ids::VrId); the type parameter keeps the two apart. Messages
//! stand one behind the other in a batch of octets, so a device takes and returns plain octets, whatever it is made of.
//!
//! Not here: what a call does (`device`), who may call (`engine`, in Python), framing for a serial line.
//! Promise: `parse(emit(x)) == x`; every prefix of a message parses or says what is missing.

pub mod call;
pub mod device_call;
pub mod header;

pub use call::{CallError, HostCall, TransmitDescriptor};
pub use device_call::{Completion, DeviceCall, PacketClass, ReceiveDescriptor, StatusCode};
pub use header::{Header, IdentifierWidth, Kind, Messages};
