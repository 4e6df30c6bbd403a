//! The capture of the air: each frame once, in the order of time, under its VM's interface, with radiotap.
//!
//! Acknowledgements are not written: they say nothing that the Retry bit of the next frame does not.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::station::Station;
use crate::air::{AirFrame, phy};
use crate::ids::{MacAddr, VmId};
use crate::time::Instant;
use crate::wire::capture::link_type;
use crate::wire::pcapng::PcapngWriter;
use crate::wire::radiotap::{Radiotap, channel_flags, channel_frequency};

/// A capture under way.
#[derive(Debug)]
pub(super) struct AirCapture {
    writer: PcapngWriter<BufWriter<File>>,
    interfaces: BTreeMap<VmId, (u32, String)>,
    air: u32,
    epoch_ns: u64,
    /// Seen since the last write: who has them is not known yet.
    fresh: Vec<Record>,
    /// Bursts on two channels overlap: what may still be preceded by another frame waits, by time and order.
    waiting: BTreeMap<(Instant, u64), Record>,
    frames: u64,
    error: Option<io::Error>,
}

#[derive(Debug)]
struct Record {
    start: Instant,
    sender: Option<VmId>,
    receiver: Option<VmId>,
    packet: Vec<u8>,
    /// Octets of radiotap before the frame.
    header: usize,
}

impl AirCapture {
    pub(super) fn create(path: &Path, vms: &[(VmId, String)], epoch_ns: u64) -> io::Result<Self> {
        let mut writer = PcapngWriter::new(BufWriter::new(File::create(path)?), "polyradio", None)?;
        let radiotap = link_type::IEEE802_11_RADIOTAP;
        let mut interfaces = BTreeMap::new();
        for (vm, name) in vms {
            let description = format!("frames that VM {vm} sent or that were addressed to it");
            let number = writer.add_interface(name, radiotap, Some(&description))?;
            interfaces.insert(*vm, (number, name.clone()));
        }
        let air = writer.add_interface("air", radiotap, Some("frames of no VM: beacons and other group frames"))?;
        let (fresh, waiting) = (Vec::new(), BTreeMap::new());
        Ok(Self { writer, interfaces, air, epoch_ns, fresh, waiting, frames: 0, error: None })
    }

    /// Takes a frame that was on the air.
    pub(super) fn observe(&mut self, frame: &AirFrame<'_>) {
        let band = if phy::is_2_4_ghz(frame.channel) { channel_flags::GHZ_2 } else { channel_flags::GHZ_5 };
        let modulation = if frame.rate < phy::LOWEST_RATE { channel_flags::CCK } else { channel_flags::OFDM };
        let radiotap = Radiotap {
            tsft: Some(frame.start.as_micros()),
            flags: Some(0),
            rate: u8::try_from(frame.rate / 5).ok(),
            channel: Some((channel_frequency(frame.channel), band | modulation)),
            signal_dbm: Some(frame.signal_dbm),
            ..Radiotap::default()
        };
        let mut packet = Vec::with_capacity(frame.frame.len() + 32);
        radiotap.emit(&mut packet);
        let header = packet.len();
        packet.extend_from_slice(frame.frame);
        self.fresh.push(Record { start: frame.start, sender: frame.vm, receiver: None, packet, header });
    }

    /// Writes what no frame can precede any more; none that is still to come is older than `oldest`.
    pub(super) fn write_until(&mut self, oldest: Instant, stations: &[Station]) {
        for mut record in self.fresh.drain(..) {
            let address = record.packet.get(record.header + 4..).and_then(<[u8]>::first_chunk);
            record.receiver = address.and_then(|address| owner(stations, MacAddr(*address)));
            self.frames += 1;
            self.waiting.insert((record.start, self.frames), record);
        }
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 + LONGEST_LAG >= oldest {
                break;
            }
            let record = entry.remove();
            self.write(&record);
        }
    }

    /// Writes what waits and closes the file; how many frames it holds.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        for record in core::mem::take(&mut self.waiting).into_values() {
            self.write(&record);
        }
        match self.error {
            Some(error) => Err(error),
            None => self.writer.finish().map(|_| self.frames),
        }
    }

    fn write(&mut self, record: &Record) {
        let (interface, comment) = match (record.sender, record.receiver) {
            (Some(vm), _) => self.named(vm, "transmit"),
            (None, Some(vm)) => self.named(vm, "receive"),
            (None, None) => (self.air, None),
        };
        if self.error.is_none() {
            let timestamp = self.epoch_ns.saturating_add(record.start.as_nanos());
            let written = self.writer.write_packet(interface, timestamp, &record.packet, None, comment.as_deref());
            self.error = written.err();
        }
    }

    fn named(&self, vm: VmId, direction: &str) -> (u32, Option<String>) {
        match self.interfaces.get(&vm) {
            Some((interface, name)) => (*interface, Some(format!("VM {vm} ({name}) {direction}"))),
            None => (self.air, Some(format!("VM {vm} {direction}"))),
        }
    }
}

/// The VM that owns an address.
fn owner(stations: &[Station], address: MacAddr) -> Option<VmId> {
    stations.iter().find_map(|station| match station {
        Station::Nic(nic) => nic.nic.vm_of(address),
        Station::AccessPoint(_) => None,
    })
}

/// Longer than a wall clock that is late makes a burst start in the past.
const LONGEST_LAG: Duration = Duration::from_millis(10);
