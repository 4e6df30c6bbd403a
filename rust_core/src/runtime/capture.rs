//! The capture: each frame on the air once, under its VM's interface, with radiotap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::radio::Radio;
use crate::air::medium::OnAir;
use crate::air::phy;
use crate::ids::{MacAddr, VmId};
use crate::wire::capture::link_type;
use crate::wire::pcapng::PcapngWriter;
use crate::wire::radiotap::{Radiotap, channel_flags, channel_frequency};

/// Which VM owns an address.
pub(super) struct Owners(BTreeMap<MacAddr, VmId>);

impl Owners {
    pub(super) fn of(radios: &[Radio]) -> Self {
        let guests = radios.iter().filter_map(|radio| match radio {
            Radio::Device(device) => Some(device.1.guests()),
            Radio::AccessPoint(_) => None,
        });
        Self(guests.flatten().map(|(_, vm, address)| (address, vm)).collect())
    }
}

#[derive(Debug)]
pub(super) struct Capture {
    writer: PcapngWriter<BufWriter<File>>,
    interfaces: BTreeMap<VmId, (u32, String)>,
    air: u32,
    epoch_ns: u64,
    packet: Vec<u8>,
    frames: u64,
    error: Option<io::Error>,
}

impl Capture {
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
        Ok(Self { writer, interfaces, air, epoch_ns, packet: Vec::new(), frames: 0, error: None })
    }

    pub(super) fn write(&mut self, on_air: &OnAir<'_>, owners: &Owners) {
        let mut at = on_air.start;
        for (index, frame) in on_air.burst.frames.iter().enumerate().take(on_air.sent) {
            let sender = on_air.burst.vms.get(index).copied().flatten();
            if self.error.is_none()
                && let Err(error) = self.write_frame(on_air, frame, sender, at.as_nanos(), owners)
            {
                self.error = Some(error);
            }
            at = at + phy::airtime(frame.len(), on_air.burst.rate) + phy::acknowledgement() + phy::SIFS;
        }
    }

    fn write_frame(
        &mut self,
        on_air: &OnAir<'_>,
        frame: &[u8],
        sender: Option<VmId>,
        at_ns: u64,
        owners: &Owners,
    ) -> io::Result<()> {
        let receiver = frame.get(4..10).and_then(<[u8]>::first_chunk::<6>).map(|octets| MacAddr(*octets));
        let owner = receiver.and_then(|receiver| owners.0.get(&receiver).copied());
        let (interface, comment) = match (sender, owner) {
            (Some(vm), _) => self.named(vm, "transmit"),
            (None, Some(vm)) => self.named(vm, "receive"),
            (None, None) => (self.air, None),
        };
        let channel = on_air.burst.channel;
        let band = if channel > 14 { channel_flags::GHZ_5 } else { channel_flags::GHZ_2 };
        let radiotap = Radiotap {
            tsft: Some(at_ns / 1000),
            flags: Some(0),
            rate: u8::try_from(on_air.burst.rate / 5).ok(),
            channel: Some((channel_frequency(channel), band | channel_flags::OFDM)),
            ..Radiotap::default()
        };
        self.packet.clear();
        radiotap.emit(&mut self.packet);
        self.packet.extend_from_slice(frame);
        self.frames += 1;
        self.writer.write_packet(interface, self.epoch_ns + at_ns, &self.packet, None, comment.as_deref())
    }

    fn named(&self, vm: VmId, direction: &str) -> (u32, Option<String>) {
        match self.interfaces.get(&vm) {
            Some((interface, name)) => (*interface, Some(format!("VM {vm} ({name}) {direction}"))),
            None => (self.air, Some(format!("VM {vm} {direction}"))),
        }
    }

    pub(super) fn finish(self) -> io::Result<u64> {
        match self.error {
            Some(error) => Err(error),
            None => self.writer.finish().map(|_| self.frames),
        }
    }
}
