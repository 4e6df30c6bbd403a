//! The packets of the CCMP works: many MPDUs under many keys, in memory of their own.
//!
//! Each packet has a slot of its own in a buffer for what is read and in one for what is written. Slots are an odd number
//! of cache lines apart: no two packets of a batch fall into one set of a cache.

use crate::air::random::Random;
use crate::bench::{BATCH, WorkError};
use crate::ids::{KeyId, PacketNumber};
use crate::security::ccmp::{CcmpKey, HEADER_LENGTH, SealError, SealJob, seal_batch};

/// Octets of the MAC header of every packet: `QoS` Data, three addresses.
pub const MAC_HEADER: usize = 26;
/// Octets of the message integrity code.
pub const MIC: usize = 8;
/// Octets of the additional authentication data of such a packet.
pub const AAD: usize = 24;

/// Octets of both buffers of a cold ring: more than the caches of today's processors that one core may fill.
const COLD_OCTETS: usize = 64 << 20;
/// Octets of both buffers of a hot ring: a core's own caches hold them, also where others use the core in between.
const HOT_OCTETS: usize = 256 << 10;
/// Packets of a hot ring, at most.
const HOT_PACKETS: usize = 256;

/// What is done with the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Plaintext in, protected out.
    Seal,
    /// Protected in, plaintext out.
    Open,
}

/// What a ring is made of.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What is done with the packets.
    pub direction: Direction,
    /// Lengths of the bodies, in octets; taken in turn.
    pub lengths: Vec<usize>,
    /// How many keys there are; each packet has one by chance.
    pub keys: usize,
    /// More memory than the caches hold, visited in random order; else 64 to 256 packets, again and again.
    pub is_cold: bool,
    /// Of keys, bodies and orders.
    pub seed: u64,
}

/// A packet of a ring.
#[derive(Clone, Copy, Debug)]
pub struct RingPacket {
    /// Which key.
    pub key: usize,
    /// Its slot in both buffers.
    pub place: usize,
    /// Octets of its body.
    pub body: usize,
    /// Octets of the MPDU that is read.
    pub length: usize,
    /// Its packet number.
    pub number: PacketNumber,
}

/// Packets in the order in which they are visited; their number is a multiple of [`BATCH`].
pub struct Ring {
    pub(super) key_octets: Vec<[u8; 16]>,
    pub(super) keys: Vec<CcmpKey>,
    pub(super) packets: Vec<RingPacket>,
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) slot: usize,
}

impl Ring {
    /// Makes keys and packets; those to be opened are sealed first.
    ///
    /// # Errors
    /// `Invalid`: no lengths, one of 0 or more than 7935 octets, or no keys or more than 65,535.
    pub fn new(shape: &Shape) -> Result<Self, WorkError> {
        let longest = *shape.lengths.iter().max().ok_or(WorkError::Invalid("there are no lengths"))?;
        if shape.lengths.contains(&0) || longest > 7935 {
            return Err(WorkError::Invalid("a body has 1 to 7935 octets"));
        }
        if shape.keys == 0 || shape.keys > 65_535 {
            return Err(WorkError::Invalid("there are 1 to 65535 keys"));
        }
        let slot = slot_of(MAC_HEADER + HEADER_LENGTH + longest + MIC);
        let hot = (HOT_OCTETS / (2 * slot)).min(HOT_PACKETS);
        let count = if shape.is_cold { COLD_OCTETS / (2 * slot) } else { hot };
        let count = (count / BATCH).max(1) * BATCH;
        let mut random = Random::new(shape.seed);
        let key_octets: Vec<[u8; 16]> = (0..shape.keys).map(|_| random_key(&mut random)).collect();
        let keys = key_octets.iter().filter_map(|key| CcmpKey::new(key).ok()).collect();
        let mut places: Vec<usize> = (0..count).collect();
        if shape.is_cold {
            shuffle(&mut places, &mut random);
        }
        let overhead = if shape.direction == Direction::Open { HEADER_LENGTH + MIC } else { 0 };
        let packets = places
            .into_iter()
            .zip(shape.lengths.iter().cycle())
            .zip(1..)
            .map(|((place, &body), number)| RingPacket {
                key: below(&mut random, shape.keys),
                place,
                body,
                length: MAC_HEADER + body + overhead,
                number: PacketNumber::from_low_bits(number),
            })
            .collect();
        let mut ring = Self { key_octets, keys, packets, input: vec![0; slot * count], output: Vec::new(), slot };
        for (place, octets) in ring.input.chunks_exact_mut(slot).enumerate() {
            fill(octets, &mut random);
            write_header(octets, place);
        }
        ring.output = vec![0; slot * count];
        if shape.direction == Direction::Open {
            ring.seal()?;
        }
        Ok(ring)
    }

    /// The packets to be visited next: whole batches from `cursor` on, at most once around.
    pub(super) fn visit(&self, cursor: usize, batches: usize) -> impl Iterator<Item = &RingPacket> {
        let count = batches.saturating_mul(BATCH).min(self.packets.len());
        self.packets.iter().cycle().skip(cursor % self.packets.len().max(1)).take(count)
    }

    /// What packet reads.
    pub(super) fn read(&self, packet: &RingPacket) -> &[u8] {
        let start = packet.place * self.slot;
        self.input.get(start..start + packet.length).unwrap_or_default()
    }

    /// Turns plaintext packets into protected ones.
    fn seal(&mut self) -> Result<(), WorkError> {
        core::mem::swap(&mut self.input, &mut self.output);
        let Self { keys, packets, input, output, slot, .. } = self;
        let mut rooms: Vec<Option<&mut [u8]>> = input.chunks_exact_mut(*slot).map(Some).collect();
        let mut jobs = Vec::with_capacity(packets.len());
        for packet in packets.iter() {
            let start = packet.place * *slot;
            let mpdu = output.get(start..start + MAC_HEADER + packet.body).unwrap_or_default();
            let (Some(key), Some(out)) = (keys.get(packet.key), rooms.get_mut(packet.place).and_then(Option::take))
            else {
                return Err(WorkError::Wrong("a packet has no place"));
            };
            jobs.push(SealJob {
                key,
                packet_number: packet.number,
                key_id: KeyId::from_low_bits(0),
                mpdu,
                out,
                result: Err(SealError::Truncated),
            });
        }
        seal_batch(&mut jobs);
        let is_whole = jobs.iter().zip(packets.iter()).all(|(job, packet)| job.result == Ok(packet.length));
        if is_whole { Ok(()) } else { Err(WorkError::Wrong("not every packet was sealed")) }
    }
}

/// Nonce and additional authentication data of a packet of a ring (IEEE 802.11-2020 12.5.3.3), for implementations that
/// know CCM and not CCMP.
pub fn nonce_and_aad(mpdu: &[u8], number: PacketNumber) -> Option<([u8; 13], [u8; AAD])> {
    let [kind, flags, _, _, addresses @ .., _, _, tid, _] = *mpdu.first_chunk::<MAC_HEADER>()?;
    let addresses: [u8; 18] = addresses;
    let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = addresses;
    let [pn5, pn4, pn3, pn2, pn1, pn0] = number.to_be_octets();
    let mut aad = [0; AAD];
    aad.iter_mut().zip([kind, flags | 0x40].iter().chain(&addresses).chain(&[0, 0, tid, 0])).for_each(|(to, from)| {
        *to = *from;
    });
    Some(([tid, a, b, c, d, e, f, pn5, pn4, pn3, pn2, pn1, pn0], aad))
}

/// A slot for that many octets: an odd number of cache lines.
pub(super) const fn slot_of(octets: usize) -> usize {
    (octets.div_ceil(64) | 1) * 64
}

/// A random number below `limit`.
#[expect(clippy::cast_possible_truncation, reason = "the high half of a product of 64 bits is below `limit`")]
pub(super) fn below(random: &mut Random, limit: usize) -> usize {
    ((u128::from(random.next_u64()) * limit as u128) >> 64) as usize
}

/// Fisher and Yates.
pub(super) fn shuffle<T>(values: &mut [T], random: &mut Random) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(random, last + 1));
    }
}

/// Sixteen octets by chance.
pub(super) fn random_key(random: &mut Random) -> [u8; 16] {
    let mut key = [0; 16];
    fill(&mut key, random);
    key
}

/// Random octets.
pub(super) fn fill(octets: &mut [u8], random: &mut Random) {
    for chunk in octets.chunks_mut(8) {
        chunk.iter_mut().zip(random.next_u64().to_le_bytes()).for_each(|(to, from)| *to = from);
    }
}

/// `QoS` Data to the DS, without Protected Frame, its addresses by the packet's number.
pub(super) fn write_header(octets: &mut [u8], number: usize) {
    let [.., b, c] = number.to_be_bytes();
    let header: [u8; MAC_HEADER] =
        [0x88, 0x01, 0, 0, 2, 0xaa, 0, 0, 0, 1, 2, 0, 0, 0, b, c, 2, 0xbb, 0, 0, 0, 9, 0x10, 0, 0, 0];
    octets.iter_mut().zip(header).for_each(|(to, from)| *to = from);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(lengths: &[usize], keys: usize, is_cold: bool) -> Shape {
        Shape { direction: Direction::Open, lengths: lengths.to_vec(), keys, is_cold, seed: 1 }
    }

    #[test]
    fn every_packet_opens_under_its_key() {
        let ring = Ring::new(&shape(&[1, 64, 1500], 100, false)).unwrap();
        assert_eq!(ring.packets.len() % BATCH, 0);
        for packet in &ring.packets {
            let mut out = Vec::new();
            let number = ring.keys[packet.key].open(ring.read(packet), &mut out).unwrap();
            assert_eq!((number, out.len()), (packet.number, MAC_HEADER + packet.body));
        }
    }

    #[test]
    fn a_cold_ring_fills_its_memory_in_another_order() {
        let ring = Ring::new(&shape(&[1500], 3, true)).unwrap();
        assert!(ring.input.len() + ring.output.len() > COLD_OCTETS / 10 * 9);
        let mut places: Vec<usize> = ring.packets.iter().map(|packet| packet.place).collect();
        assert!(!places.is_sorted());
        places.sort_unstable();
        assert!(places.into_iter().eq(0..ring.packets.len()));
        assert_eq!(ring.slot / 64 % 2, 1);
    }

    #[test]
    fn shapes_that_make_no_sense_are_refused() {
        for shape in [shape(&[], 1, false), shape(&[0], 1, false), shape(&[8000], 1, false), shape(&[64], 0, false)] {
            assert!(matches!(Ring::new(&shape), Err(WorkError::Invalid(_))), "{shape:?}");
        }
        assert!(Ring::new(&shape(&[64], 65_536, false)).is_err());
    }
}
