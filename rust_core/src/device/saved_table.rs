//! A table as octets, to be restored later: everything but the keys.
//!
//! Restored rows have no keys; they must be installed again. A key that the saved table had goes on where it stopped, so
//! that no packet number is used twice and no old frame is accepted again: the table remembers a fingerprint of each key.
//!
//! ```text
//! u8 version (1), u16 n, n x: row, counters (see `row_encoding`),
//!                             u8 m, m x: 8 fingerprint, u48 last packet number sent, 17 x u48 last ones received
//! ```

use super::connection_table::ConnectionTable;
use super::drop_reason::DropReason;
use super::row_encoding::{Reader, RowSnapshot, emit_counters, emit_packet_numbers, read_counters};
use super::row_keys::KeyMemory;
use super::virtual_mac::{PowerState, SequenceCounters};
use crate::host_api::CallError;
use crate::wire::ParseError;

const VERSION: u8 = 1;

/// No counter comes this far by counting, and from here none overflows.
const LARGEST_COUNT: u64 = u64::MAX / 2;

impl ConnectionTable {
    /// Everything but the keys' octets, to be given to [`restore`](Self::restore).
    pub fn save(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&u16::try_from(self.len()).unwrap_or(u16::MAX).to_le_bytes());
        for row in self.rows().take(usize::from(u16::MAX)) {
            RowSnapshot::of(row).emit(&mut out);
            emit_counters(row.counters(), &mut out);
            let memories: Vec<KeyMemory> = row.keys().memories().take(usize::from(u8::MAX)).collect();
            out.push(u8::try_from(memories.len()).unwrap_or(u8::MAX));
            for memory in memories {
                out.extend_from_slice(&memory.fingerprint);
                emit_packet_numbers([memory.transmitted].into_iter().chain(memory.replay.values()), &mut out);
            }
        }
        out
    }

    /// Replaces all rows by those that were saved. On an error the table is as before. What the table knew of keys it still
    /// knows: an older save takes no packet number back.
    ///
    /// # Errors
    /// `BadRow`: the octets are no saved table, or it does not fit this one.
    pub fn restore(&mut self, saved: &[u8]) -> Result<(), CallError> {
        let mut restored = self.emptied().read(&mut Reader::new(saved)).map_err(|_| CallError::BadRow)?;
        self.clear();
        restored.inherit(self);
        *self = restored;
        Ok(())
    }

    fn read(mut self, reader: &mut Reader<'_>) -> Result<Self, BadTable> {
        let [version] = reader.take()?;
        if version != VERSION {
            return Err(BadTable);
        }
        for _ in 0..reader.number()? {
            self.read_row(reader)?;
        }
        if reader.is_at_end() { Ok(self) } else { Err(BadTable) }
    }

    fn read_row(&mut self, reader: &mut Reader<'_>) -> Result<(), BadTable> {
        let snapshot = RowSnapshot::read(reader)?;
        let counters = read_counters(reader)?;
        let drops = DropReason::ALL.iter().map(|reason| counters.drops.of(*reason));
        if counters.values().chain(drops).any(|count| count > LARGEST_COUNT) {
            return Err(BadTable);
        }
        let [count] = reader.take()?;
        let mut memories = Vec::new();
        for _ in 0..count {
            let (fingerprint, transmitted) = (reader.take()?, reader.packet_number()?);
            memories.push(KeyMemory { fingerprint, transmitted, replay: reader.replay_counters()? });
        }
        let vr = snapshot.vr;
        self.add(vr, snapshot.vm, snapshot.address)?;
        if snapshot.accepts_any_bss {
            self.accept_any_bss(vr);
        }
        self.set_parameters(vr, snapshot.parameters)?;
        self.restore_connection(vr, snapshot.connection)?;
        let row = self.row_mut(vr).ok_or(BadTable)?;
        let [shared, by_tid @ ..] = snapshot.sequence_numbers;
        row.mac.sequence = SequenceCounters::from_numbers(shared, by_tid);
        row.mac.power = if snapshot.is_asleep { PowerState::Asleep } else { PowerState::Awake };
        row.counters = counters;
        row.keys.recall(memories);
        Ok(())
    }
}

/// The octets are no saved table, or it does not fit.
struct BadTable;

impl From<ParseError> for BadTable {
    fn from(_: ParseError) -> Self {
        Self
    }
}

impl From<CallError> for BadTable {
    fn from(_: CallError) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection_table::Row;
    use super::super::drop_reason::DropCounters;
    use super::*;
    use crate::host_api::call::{CipherSuite, Connection, ConnectionState, KeyScope};
    use crate::ids::{KeyId, MacAddr, PacketNumber, VmId, VrId};

    const KEY: [u8; 16] = *b"a temporal key!!";

    fn install(table: &mut ConnectionTable, vr: VrId) {
        let row = table.row_mut(vr).unwrap();
        let (id, zero) = (KeyId::from_low_bits(1), PacketNumber::default());
        row.keys.install(KeyScope::Pairwise, id, CipherSuite::CCMP_128, &KEY, zero).unwrap();
    }

    fn saved() -> (ConnectionTable, VrId) {
        let mut table = ConnectionTable::new(300);
        let vr = VrId::new(299);
        table.add(vr, VmId::new(7), MacAddr([2, 0, 0, 0, 0, 7])).unwrap();
        let bssid = MacAddr([2, 0, 0, 0, 1, 0]);
        let state = ConnectionState::Authorized;
        table.set_connection(vr, Connection { state, bssid, privacy: true, ..Connection::default() }).unwrap();
        install(&mut table, vr);
        let row = table.row_mut(vr).unwrap();
        row.mac.sequence.take(None);
        row.counters.sent = 9;
        row.keys.find_mut(KeyScope::Pairwise, KeyId::from_low_bits(1)).unwrap().next_packet_number();
        (table, vr)
    }

    #[test]
    fn a_restored_table_is_as_it_was_but_for_the_keys() {
        let (table, vr) = saved();
        let octets = table.save();
        assert!(!octets.windows(4).any(|window| window == &KEY[..4]), "no key is saved");
        let mut restored = ConnectionTable::new(300);
        restored.restore(&octets).unwrap();
        let expected = RowSnapshot { keys: Vec::new(), ..RowSnapshot::of(table.row(vr).unwrap()) };
        let row = restored.row(vr).unwrap();
        assert_eq!(RowSnapshot::of(row), expected);
        assert_eq!(row.counters().sent, 9);
        assert_eq!(restored.row_of(row.address()), Some(vr));
        assert_eq!(restored.members(row.connection().bssid), [vr]);
    }

    #[test]
    fn a_key_installed_again_after_a_restore_repeats_no_packet_number() {
        let (table, vr) = saved();
        let mut restored = ConnectionTable::new(300);
        restored.restore(&table.save()).unwrap();
        // Saved once more before the key is back: it is still remembered.
        restored.restore(&restored.save()).unwrap();
        install(&mut restored, vr);
        let slot = restored.row(vr).unwrap().keys().find(KeyScope::Pairwise, KeyId::from_low_bits(1)).unwrap();
        assert_eq!(slot.transmitted().value(), 1);
    }

    #[test]
    fn counters_that_would_overflow_are_no_saved_ones() {
        for fill in [
            |row: &mut Row| row.counters.sent = u64::MAX,
            |row: &mut Row| {
                row.counters.drops = DropCounters::from_values([u64::MAX; DropReason::ALL.len()]);
            },
        ] {
            let (mut table, vr) = saved();
            fill(table.row_mut(vr).unwrap());
            assert_eq!(ConnectionTable::new(300).restore(&table.save()), Err(CallError::BadRow));
        }
    }

    #[test]
    fn a_restored_row_still_sleeps_for_its_access_point() {
        let (mut table, vr) = saved();
        table.row_mut(vr).unwrap().mac.power = PowerState::Asleep;
        let mut restored = ConnectionTable::new(300);
        restored.restore(&table.save()).unwrap();
        assert_eq!(restored.row(vr).unwrap().mac.power, PowerState::Asleep, "or it is never told of the return");
    }

    fn transmitted(table: &ConnectionTable, vr: VrId) -> u64 {
        let slot = table.row(vr).unwrap().keys().find(KeyScope::Pairwise, KeyId::from_low_bits(1)).unwrap();
        slot.transmitted().value()
    }

    #[test]
    fn an_older_table_restored_takes_no_packet_number_back() {
        let (mut table, vr) = saved();
        let octets = table.save();
        let row = table.row_mut(vr).unwrap();
        row.keys.find_mut(KeyScope::Pairwise, KeyId::from_low_bits(1)).unwrap().next_packet_number();
        table.restore(&octets).unwrap();
        install(&mut table, vr);
        assert_eq!(transmitted(&table, vr), 2);
    }

    #[test]
    fn a_row_that_was_gone_takes_no_packet_number_back() {
        for forget in [|table: &mut ConnectionTable| drop(table.remove(VrId::new(299))), ConnectionTable::clear] {
            let (mut table, _) = saved();
            forget(&mut table);
            // The address is what a nonce has of a VM; its virtual radio may be another one now.
            let vr = VrId::new(3);
            table.add(vr, VmId::new(7), MacAddr([2, 0, 0, 0, 0, 7])).unwrap();
            install(&mut table, vr);
            assert_eq!(transmitted(&table, vr), 1);
        }
    }

    #[test]
    fn octets_that_are_no_saved_table_change_nothing() {
        let (table, _) = saved();
        let octets = table.save();
        let mut other = saved().0;
        for end in 0..octets.len() {
            assert_eq!(other.restore(&octets[..end]), Err(CallError::BadRow), "{end}");
        }
        let mut longer = octets.clone();
        longer.push(0);
        assert_eq!(other.restore(&longer), Err(CallError::BadRow));
        assert_eq!(ConnectionTable::new(10).restore(&octets), Err(CallError::BadRow));
        assert_eq!(other.save(), octets);
    }
}
