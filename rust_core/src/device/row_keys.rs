//! The keys of one row, and what must be remembered of keys that are gone.

use core::fmt;
use core::mem::offset_of;
use std::collections::VecDeque;

use crate::host_api::CallError;
use crate::host_api::call::{CipherSuite, KeyScope};
use crate::ids::{KeyId, PacketNumber};
use crate::security::ccmp::CcmpKey;
use crate::security::key_slot::KeySlot;
use crate::security::replay::ReplayCounters;

/// Key identifiers of CCMP.
const KEY_IDS: usize = 4;

/// Keys that are gone and would still be known again.
const MEMORY_LENGTH: usize = 16;

/// Pairwise and group keys of one VM's connection.
///
/// A key lies in its place from its installation to its end and is wiped there: it is never moved. Pairwise key 0, which
/// is nearly always the only one, lies in the row itself, from the start of a cache line; all others lie behind a pointer.
/// The slot that sends is the pairwise key installed last.
#[derive(Default)]
#[repr(C, align(64))]
pub struct RowKeys {
    first: Option<KeySlot>,
    others: Option<Box<OtherKeys>>,
}

/// All keys but pairwise key 0, and what is remembered of keys.
#[derive(Default)]
struct OtherKeys {
    /// Its first place stays empty.
    pairwise: [Option<KeySlot>; KEY_IDS],
    group: [Option<KeySlot>; KEY_IDS],
    memory: VecDeque<KeyMemory>,
}

/// How far a key was used. It says which key that was without being of use to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMemory {
    /// Message integrity code of a frame that nobody can send.
    pub fingerprint: [u8; 8],
    /// The last packet number sent.
    pub transmitted: PacketNumber,
    /// The last packet numbers received.
    pub replay: ReplayCounters,
}

impl RowKeys {
    /// Where the cache line starts that frames need of pairwise key 0.
    pub(crate) const LINE: usize = offset_of!(Self, first) + KeySlot::LINE;

    /// Installs a key. A pairwise key is used to send from then on.
    ///
    /// A key that was here before goes on where it stopped: its packet numbers never repeat, and what it has received
    /// stays a replay.
    ///
    /// # Errors
    /// `UnsupportedCipher`; `WeakKey`; `KeyInUse` where the row has that key already, under whatever identifier: nothing
    /// is reinstalled.
    pub fn install(
        &mut self,
        scope: KeyScope,
        key_id: KeyId,
        cipher: CipherSuite,
        key: &[u8],
        receive_counter: PacketNumber,
    ) -> Result<(), CallError> {
        let mut slot = KeySlot::new(cipher, key_id, key, receive_counter)?;
        if self.iter().any(|(_, installed)| installed.same_key(key)) {
            return Err(CallError::KeyInUse);
        }
        let fingerprint = fingerprint(slot.key());
        if let Some(others) = &mut self.others {
            if let Some(memory) = others.memory.iter().find(|memory| memory.fingerprint == fingerprint) {
                slot.resume(memory.transmitted, &memory.replay);
            }
            others.memory.retain(|memory| memory.fingerprint != fingerprint);
        }
        if scope == KeyScope::Pairwise {
            self.pairwise_mut().for_each(|installed| installed.set_sends(false));
            slot.set_sends(true);
        }
        self.replace(scope, key_id, Some(slot));
        Ok(())
    }

    /// Removes a key; its octets are wiped.
    ///
    /// # Errors
    /// `NoSuchKey`.
    pub fn remove(&mut self, scope: KeyScope, key_id: KeyId) -> Result<(), CallError> {
        let sends = self.find(scope, key_id).ok_or(CallError::NoSuchKey)?.sends();
        self.replace(scope, key_id, None);
        if sends && let Some(next) = self.pairwise_mut().next() {
            next.set_sends(true);
        }
        Ok(())
    }

    /// Wipes all keys and forgets what is remembered of keys.
    pub(crate) fn clear(&mut self) {
        // Overwritten in their place, never moved out of it.
        self.first = None;
        self.others = None;
    }

    /// Takes over what was known of keys without their octets, those that were used last at the end; of what is known
    /// twice, the larger numbers.
    pub(crate) fn recall(&mut self, memories: impl IntoIterator<Item = KeyMemory>) {
        for mut memory in memories {
            let others = self.others.get_or_insert_default();
            let known = others.memory.iter().position(|known| known.fingerprint == memory.fingerprint);
            if let Some(known) = known.and_then(|index| others.memory.remove(index)) {
                memory.transmitted = memory.transmitted.max(known.transmitted);
                memory.replay.raise(&known.replay);
            }
            self.keep(memory);
        }
    }

    /// What to save: how far each key was used, those that are gone first, the oldest of them before the others.
    pub fn memories(&self) -> impl Iterator<Item = KeyMemory> {
        let gone = self.others.iter().flat_map(|others| &others.memory).cloned();
        gone.chain(self.iter().map(|(_, slot)| memory_of(slot)))
    }

    /// The key, to be used.
    #[inline]
    pub(crate) fn find_mut(&mut self, scope: KeyScope, key_id: KeyId) -> Option<&mut KeySlot> {
        if is_first(scope, key_id) {
            return self.first.as_mut();
        }
        self.others.as_mut()?.place(scope, key_id)?.as_mut()
    }

    /// The key of that scope and identifier.
    #[inline]
    pub fn find(&self, scope: KeyScope, key_id: KeyId) -> Option<&KeySlot> {
        if is_first(scope, key_id) {
            return self.first.as_ref();
        }
        let others = self.others.as_ref()?;
        let slots = match scope {
            KeyScope::Pairwise => &others.pairwise,
            KeyScope::Group => &others.group,
        };
        slots.get(usize::from(key_id.value()))?.as_ref()
    }

    /// The pairwise key that frames are sent with: the one installed last.
    #[inline]
    pub fn transmit(&self) -> Option<KeyId> {
        match &self.first {
            Some(first) if first.sends() => Some(KeyId::from_low_bits(0)),
            _ => {
                let mut others = self.others.iter().flat_map(|others| others.pairwise.iter().flatten());
                others.find(|slot| slot.sends()).map(KeySlot::key_id)
            }
        }
    }

    fn pairwise_mut(&mut self) -> impl Iterator<Item = &mut KeySlot> {
        let others = self.others.iter_mut().flat_map(|others| others.pairwise.iter_mut().flatten());
        self.first.iter_mut().chain(others)
    }

    /// All keys, pairwise ones first.
    pub fn iter(&self) -> impl Iterator<Item = (KeyScope, &KeySlot)> {
        let others = self.others.iter();
        let pairwise = self.first.iter().chain(others.clone().flat_map(|others| others.pairwise.iter().flatten()));
        let group = others.flat_map(|others| others.group.iter().flatten());
        pairwise.map(|slot| (KeyScope::Pairwise, slot)).chain(group.map(|slot| (KeyScope::Group, slot)))
    }

    /// Puts a key, or none, into a place; the one that was there is wiped there and remembered.
    fn replace(&mut self, scope: KeyScope, key_id: KeyId, slot: Option<KeySlot>) {
        let place = if is_first(scope, key_id) {
            Some(&mut self.first)
        } else {
            self.others.get_or_insert_default().place(scope, key_id)
        };
        let Some(place) = place else { return };
        let old = place.as_ref().map(memory_of);
        *place = slot;
        if let Some(memory) = old {
            self.keep(memory);
        }
    }

    fn keep(&mut self, memory: KeyMemory) {
        let memories = &mut self.others.get_or_insert_default().memory;
        if memories.len() >= MEMORY_LENGTH {
            memories.pop_front();
        }
        memories.push_back(memory);
    }
}

impl OtherKeys {
    fn place(&mut self, scope: KeyScope, key_id: KeyId) -> Option<&mut Option<KeySlot>> {
        let slots = match scope {
            KeyScope::Pairwise => &mut self.pairwise,
            KeyScope::Group => &mut self.group,
        };
        slots.get_mut(usize::from(key_id.value()))
    }
}

/// The key that lies in the row itself.
#[inline]
const fn is_first(scope: KeyScope, key_id: KeyId) -> bool {
    matches!(scope, KeyScope::Pairwise) && key_id.value() == 0
}

impl fmt::Debug for RowKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

fn memory_of(slot: &KeySlot) -> KeyMemory {
    KeyMemory { fingerprint: fingerprint(slot.key()), transmitted: slot.transmitted(), replay: slot.replay().clone() }
}

/// The message integrity code of an empty data frame from the zero address with packet number 0. Nobody owns that address
/// and no key sends that number, so the nonce is used for nothing else.
fn fingerprint(key: &CcmpKey) -> [u8; 8] {
    const NOBODYS_FRAME: [u8; 24] = [0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut sealed = Vec::new();
    let done = key.seal(&NOBODYS_FRAME, PacketNumber::default(), KeyId::from_low_bits(0), &mut sealed);
    debug_assert!(done.is_ok(), "the frame is well formed");
    sealed.last_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [0x11; 16];
    const OTHER: [u8; 16] = [0x22; 16];

    fn id(value: u8) -> KeyId {
        KeyId::from_low_bits(value)
    }

    fn install(keys: &mut RowKeys, key_id: u8, key: &[u8]) -> Result<(), CallError> {
        keys.install(KeyScope::Pairwise, id(key_id), CipherSuite::CCMP_128, key, PacketNumber::default())
    }

    #[test]
    fn the_same_key_again_moves_no_counter() {
        let mut keys = RowKeys::default();
        install(&mut keys, 0, &KEY).unwrap();
        keys.find_mut(KeyScope::Pairwise, id(0)).unwrap().next_packet_number();
        for key_id in 0..4 {
            assert_eq!(install(&mut keys, key_id, &KEY), Err(CallError::KeyInUse));
        }
        assert_eq!(keys.find(KeyScope::Pairwise, id(0)).unwrap().transmitted().value(), 1);
    }

    #[test]
    fn a_key_that_comes_back_goes_on_where_it_stopped() {
        let mut keys = RowKeys::default();
        install(&mut keys, 0, &KEY).unwrap();
        keys.find_mut(KeyScope::Pairwise, id(0)).unwrap().next_packet_number();
        keys.remove(KeyScope::Pairwise, id(0)).unwrap();
        install(&mut keys, 1, &KEY).unwrap();
        assert_eq!(keys.find(KeyScope::Pairwise, id(1)).unwrap().transmitted().value(), 1);
        install(&mut keys, 1, &OTHER).unwrap();
        assert_eq!(keys.find(KeyScope::Pairwise, id(1)).unwrap().transmitted().value(), 0);
        install(&mut keys, 1, &KEY).unwrap();
        assert_eq!(keys.find(KeyScope::Pairwise, id(1)).unwrap().transmitted().value(), 1);
    }

    #[test]
    fn frames_are_sent_with_the_pairwise_key_installed_last() {
        let mut keys = RowKeys::default();
        assert_eq!(keys.transmit(), None);
        keys.install(KeyScope::Group, id(1), CipherSuite::CCMP_128, &OTHER, PacketNumber::default()).unwrap();
        assert_eq!(keys.transmit(), None, "never the group key");
        install(&mut keys, 0, &KEY).unwrap();
        install(&mut keys, 1, &[3; 16]).unwrap();
        assert_eq!(keys.transmit(), Some(id(1)));
        keys.remove(KeyScope::Pairwise, id(1)).unwrap();
        assert_eq!(keys.transmit(), Some(id(0)));
        keys.remove(KeyScope::Pairwise, id(0)).unwrap();
        assert_eq!(keys.transmit(), None);
        assert_eq!(keys.remove(KeyScope::Pairwise, id(0)), Err(CallError::NoSuchKey));
    }

    #[test]
    fn an_all_zero_key_is_refused() {
        assert_eq!(install(&mut RowKeys::default(), 0, &[0; 16]), Err(CallError::WeakKey));
    }

    #[test]
    fn of_many_keys_the_newest_are_recalled_and_the_oldest_forgotten_first() {
        let mut keys = RowKeys::default();
        for number in 1..=20 {
            install(&mut keys, 0, &[number; 16]).unwrap();
            keys.find_mut(KeyScope::Pairwise, id(0)).unwrap().next_packet_number();
        }
        let mut recalled = RowKeys::default();
        recalled.recall(keys.memories());
        for number in [20, 19, 18, 5, 6, 7] {
            install(&mut recalled, 1, &[number; 16]).unwrap();
            assert_eq!(recalled.find(KeyScope::Pairwise, id(1)).unwrap().transmitted().value(), 1, "key {number}");
        }
    }

    #[test]
    fn no_key_is_printed() {
        let mut keys = RowKeys::default();
        install(&mut keys, 0, &KEY).unwrap();
        assert!(!format!("{keys:?}").contains("17, 17"));
    }
}
