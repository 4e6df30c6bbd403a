//! The way up: a station's frame to the bridge or to the control plane.

use super::AccessPoint;
use crate::device::DropReason;
use crate::ids::MacAddr;
use crate::security::ccmp::OpenError;
use crate::wire::ParseError;
use crate::wire::data::{MsduError, body_ethertype, ethernet_frames};
use crate::wire::ethernet::{ETHERTYPE_EAPOL, EthernetFrame};
use crate::wire::frame_control::FrameType;
use crate::wire::mac_header::{MacHeader, QosControl};

impl AccessPoint {
    pub(super) fn receive(&mut self, frame: &[u8]) -> Result<(), DropReason> {
        let header = MacHeader::parse(frame).map_err(|error| match error {
            ParseError::Truncated { .. } => DropReason::Truncated,
            ParseError::Invalid { .. } => DropReason::Malformed,
        })?;
        match header.frame_control.frame_type() {
            FrameType::Management if header.addr1 == self.bssid || header.addr1.is_group() => {
                self.hand_up(frame);
                Ok(())
            }
            FrameType::Management => Err(DropReason::NotOurs),
            FrameType::Data => self.receive_data(frame, &header),
            FrameType::Control | FrameType::Extension => Err(DropReason::Filtered),
        }
    }

    fn receive_data(&mut self, frame: &[u8], header: &MacHeader) -> Result<(), DropReason> {
        let control = header.frame_control;
        if header.addr1 != self.bssid {
            return Err(DropReason::NotOurs);
        }
        let (true, false, Some(source)) = (control.to_ds(), control.from_ds(), header.addr2) else {
            return Err(DropReason::Malformed);
        };
        let Some(index) = self.by_address.get(&source).copied() else {
            // Class 3 frame of an unknown station: the MLME answers it (IEEE 802.11-2020 11.3.3).
            self.hand_up(frame);
            return Err(DropReason::NotConnected);
        };
        self.note_power_management(index, control.power_management());
        let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut) else {
            return Err(DropReason::NotConnected);
        };
        if control.is_null() {
            return Ok(());
        }
        if control.more_fragments() || header.sequence.is_some_and(|sequence| sequence.fragment != 0) {
            return Err(DropReason::Fragment);
        }
        if station.is_duplicate(header) {
            return Err(DropReason::Duplicate);
        }
        let parameters = station.parameters;
        let mut plain = core::mem::take(&mut self.plain);
        plain.clear();
        let opened = if control.protected() {
            match &mut station.key {
                Some(key) => key.open(frame, &mut plain).map(|_| ()).map_err(drop_reason),
                None => Err(DropReason::NoKey),
            }
        } else {
            plain.extend_from_slice(frame);
            Ok(())
        };
        let result = opened.and_then(|()| {
            let body = plain.get(header.length()..).unwrap_or_default();
            let is_amsdu = header.qos.is_some_and(QosControl::amsdu_present);
            let is_eapol = !is_amsdu && body_ethertype(body) == Some(ETHERTYPE_EAPOL);
            if is_eapol && header.destination() == Some(self.bssid) {
                self.hand_up(&plain);
                self.waits_for_control = true;
                return Ok(());
            }
            if parameters.privacy && !control.protected() {
                return Err(DropReason::Unprotected);
            }
            if !parameters.authorized {
                return Err(DropReason::NotConnected);
            }
            self.bridge(&plain, source, index)
        });
        self.plain = plain;
        result
    }

    fn bridge(&mut self, mpdu: &[u8], source: MacAddr, index: usize) -> Result<(), DropReason> {
        let mut ethernet = core::mem::take(&mut self.ethernet);
        let mut foreign = false;
        let result = ethernet_frames(mpdu, &mut ethernet, |msdu| {
            let Ok(view) = EthernetFrame::new(msdu) else { return };
            if view.source() != source {
                foreign = true;
                return;
            }
            self.counters.received += 1;
            self.counters.received_octets += msdu.len() as u64;
            let destination = view.destination();
            let is_station = self.by_address.contains_key(&destination);
            if destination.is_group() || is_station {
                self.send_ethernet(msdu);
            }
            if !is_station && self.wired.is_some() {
                self.wired_out.push(msdu);
            }
        });
        self.ethernet = ethernet;
        if let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut) {
            station.received += 1;
        }
        match result {
            Ok(()) if foreign => Err(DropReason::ForeignSource),
            Ok(()) => Ok(()),
            Err(MsduError::BadAmsdu) => Err(DropReason::BadAmsdu),
            Err(MsduError::Unreadable(_)) => Err(DropReason::Malformed),
        }
    }
}

fn drop_reason(error: OpenError) -> DropReason {
    match error {
        OpenError::Replay => DropReason::Replay,
        OpenError::MicFailed => DropReason::MicFailed,
        OpenError::Truncated => DropReason::Truncated,
        OpenError::NotProtected => DropReason::Unprotected,
        OpenError::NotCcmp | OpenError::NoRoom => DropReason::Malformed,
    }
}
