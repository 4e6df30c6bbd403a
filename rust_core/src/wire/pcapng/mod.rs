//! pcapng files (draft-ietf-opsawg-pcapng): blocks of sections, interfaces and packets.
//!
//! The reader takes both byte orders, several sections and interfaces, enhanced, simple and obsolete packet blocks; other
//! blocks are passed over. Interfaces are numbered through the whole file, not anew in each section. The writer writes one
//! little-endian section with nanosecond timestamps: the same calls give the same octets.

mod reader;
mod writer;

pub use reader::{Interface, PcapngReader};
pub use writer::PcapngWriter;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Options of blocks; 2 to 14 have another meaning in each block.
mod option {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const SHB_USER_APPLICATION: u16 = 4;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_FCSLEN: u16 = 13;
    pub(super) const IF_TSOFFSET: u16 = 14;
}
