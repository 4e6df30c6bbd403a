//! Farewell and return: Null frames that tell each access point when its station cannot hear it, so that it keeps
//! frames instead of losing them (IEEE 802.11-2020 11.2.3.2).

use std::collections::VecDeque;

use super::connection_table::{ConnectionTable, Row};
use super::transmitter::{Limits, airtime_us, row_rate};
use super::virtual_mac::PowerState;
use crate::air::{Burst, Channel};
use crate::frame_batch::FrameBatch;
use crate::ids::VrId;
use crate::wire::frame_control::{FrameControl, data_subtype};
use crate::wire::mac_header::{self, MacHeader, QosControl, SequenceControl};

/// How often a Null frame is sent before the access point counts as told, or gone.
const TRIES: u8 = 4;

/// Null frames that wait.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    waiting: VecDeque<Announcement>,
    /// Which plan the waiting frames belong to; a burst of an older one is not repeated.
    plan: u32,
}

/// One Null frame.
#[derive(Debug)]
pub(crate) struct Announcement {
    /// `None` once that virtual radio is another VM's, or nobody's.
    row: Option<VrId>,
    power: PowerState,
    tries: u8,
    mpdu: Vec<u8>,
}

/// Null frames on the air.
#[derive(Debug)]
pub(crate) struct AnnouncementsInFlight {
    frames: Vec<Announcement>,
    plan: u32,
}

impl AnnouncementsInFlight {
    /// The end of this row's Null frame concerns nobody any more.
    pub(crate) fn forget(&mut self, vr: VrId) {
        self.frames.iter_mut().filter(|frame| frame.row == Some(vr)).for_each(|frame| frame.row = None);
    }
}

impl Announcements {
    /// The row is gone.
    pub(crate) fn forget(&mut self, vr: VrId) {
        self.waiting.retain(|frame| frame.row != Some(vr));
    }

    /// One Null frame for each row on the channel whose access point has been told otherwise.
    pub(crate) fn plan(&mut self, table: &ConnectionTable, channel: Channel, power: PowerState) {
        self.cancel();
        let rows = table.on_channel(channel).filter_map(|vr| table.row(vr)).filter(|row| row.mac.power != power);
        self.waiting.extend(rows.map(|row| Announcement { row: Some(row.vr()), power, tries: 0, mpdu: Vec::new() }));
        // Where the time does not suffice for all, let others have it the next time.
        let turn = usize::try_from(self.plan).unwrap_or_default();
        if let Some(start) = turn.checked_rem(self.waiting.len()) {
            self.waiting.rotate_left(start);
        }
    }

    /// Forgets what waits.
    pub(crate) fn cancel(&mut self) {
        self.waiting.clear();
        self.plan = self.plan.wrapping_add(1);
    }

    /// The next burst.
    pub(crate) fn burst(
        &mut self,
        table: &mut ConnectionTable,
        channel: Channel,
        limits: Limits,
    ) -> Option<(Burst, AnnouncementsInFlight)> {
        let mut frames = Vec::new();
        let mut burst = Burst { channel, rate: 0, frames: FrameBatch::new(), vms: Vec::new() };
        let mut airtime = 0;
        while let Some(mut next) = self.waiting.pop_front() {
            // Between plan and burst the row may have gone, or its connection.
            let row = next
                .row
                .and_then(|vr| table.row_mut(vr))
                .filter(|row| row.has_access_point() && row.mac.power != next.power);
            let Some(row) = row else { continue };
            let rate = row_rate(row);
            if next.mpdu.is_empty() {
                next.mpdu = null_frame(row, next.power);
            }
            airtime += airtime_us(next.mpdu.len(), rate);
            let fits = airtime <= limits.airtime_us && frames.len() < limits.frames && rate == burst.rate;
            if !frames.is_empty() && !fits {
                self.waiting.push_front(next);
                break;
            }
            burst.rate = rate;
            burst.frames.push(&next.mpdu);
            burst.vms.push(Some(row.vm()));
            frames.push(next);
        }
        (!frames.is_empty()).then_some((burst, AnnouncementsInFlight { frames, plan: self.plan }))
    }

    /// The end of a burst: `done` frames were acknowledged, the next one was not, the others did not go out.
    pub(crate) fn report(&mut self, table: &mut ConnectionTable, in_flight: AnnouncementsInFlight, done: usize) {
        let mut again = Vec::new();
        for (index, mut frame) in in_flight.frames.into_iter().enumerate() {
            let Some(row) = frame.row.and_then(|vr| table.row_mut(vr)) else { continue };
            frame.tries += u8::from(index <= done);
            row.counters.null_frames += u64::from(index <= done);
            if index < done || frame.tries >= TRIES {
                row.mac.power = frame.power;
                continue;
            }
            if index == done {
                row.counters.retries += 1;
                mac_header::set_retry(&mut frame.mpdu);
            }
            again.push(frame);
        }
        if in_flight.plan == self.plan {
            for frame in again.into_iter().rev() {
                self.waiting.push_front(frame);
            }
        }
    }

    /// True where none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn null_frame(row: &mut Row, power: PowerState) -> Vec<u8> {
    let connection = row.connection();
    let subtype = if connection.qos { data_subtype::QOS_NULL } else { data_subtype::NULL };
    let header = MacHeader {
        frame_control: FrameControl::data(subtype).with_to_ds(true).with_power_management(power == PowerState::Asleep),
        duration: 0,
        addr1: connection.bssid,
        addr2: Some(row.address()),
        addr3: Some(connection.bssid),
        addr4: None,
        // Null frames have no copies to be told apart; any number will do (IEEE 802.11-2020 10.3.2.14.2).
        sequence: Some(SequenceControl { number: row.mac.sequence.take(None), fragment: 0 }),
        qos: connection.qos.then_some(QosControl(0)),
        ht_control: None,
    };
    let mut frame = Vec::new();
    header.emit(&mut frame);
    frame
}
