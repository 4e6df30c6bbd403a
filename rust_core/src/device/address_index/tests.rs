use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn address(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn from_key(key: u64) -> MacAddr {
    let [a, b, c, d, e, f, ..] = key.to_le_bytes();
    MacAddr([a, b, c, d, e, f])
}

fn row(number: usize) -> VrId {
    VrId::new(u16::try_from(number).unwrap())
}

/// How far the furthest entry is from its own bucket; each entry is behind full buckets only, and can be found.
fn furthest(index: &AddressIndex) -> usize {
    let mut furthest = 0;
    let mut count = 0;
    for (place, bucket) in index.buckets.iter().enumerate() {
        for (key, id) in bucket.entries() {
            let home = index.home(key);
            let distance = place.wrapping_sub(home) & index.mask();
            assert!((0..distance).all(|step| index.buckets[(home + step) & index.mask()].is_full()));
            assert_eq!(index.lookup(from_key(key)), Some(VrId::new(id)));
            furthest = furthest.max(distance);
            count += 1;
        }
    }
    assert_eq!(index.len, count);
    assert!(count <= index.buckets.len() * LOAD);
    furthest
}

#[test]
fn an_address_has_one_owner() {
    let mut index = AddressIndex::default();
    assert!(index.insert(address(1), VrId::new(1)));
    assert!(!index.insert(address(1), VrId::new(2)));
    assert_eq!(index.lookup(address(1)), Some(VrId::new(1)));
    index.remove(address(1));
    assert_eq!(index.lookup(address(1)), None);
}

#[test]
fn many_addresses_are_answered_in_their_order() {
    let mut index = AddressIndex::default();
    for last in 0..100 {
        index.insert(address(last), VrId::new(u16::from(last)));
    }
    let mut rows = vec![Some(VrId::new(9))];
    index.lookup_many([address(7), address(200), address(0)], &mut rows);
    assert_eq!(rows, [Some(VrId::new(9)), Some(VrId::new(7)), None, Some(VrId::new(0))]);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let mut index = AddressIndex::default();
    index.remove(address(1));
    index.remove(MacAddr::ZERO);
    let mut rows = Vec::new();
    index.lookup_many([address(1), MacAddr::ZERO, MacAddr::BROADCAST], &mut rows);
    assert_eq!(rows, [None; 3]);
    index.insert(address(1), VrId::new(1));
    index.clear();
    assert_eq!((index.lookup(address(1)), index.len, index.buckets.len()), (None, 0, 0));
}

#[test]
fn the_address_of_zeros_and_the_last_identifier_are_as_others() {
    let mut index = AddressIndex::default();
    for (address, other) in [(MacAddr::ZERO, MacAddr::BROADCAST), (MacAddr::BROADCAST, MacAddr::ZERO)] {
        for number in [0, 65535] {
            assert!(index.insert(address, VrId::new(number)));
            assert!(!index.insert(address, VrId::new(1)));
            let mut rows = Vec::new();
            index.lookup_many([other, address], &mut rows);
            assert_eq!(rows, [None, Some(VrId::new(number))]);
            let mut numbers = [1; 2];
            index.lookup_octets(&[other.0, address.0], &mut numbers);
            assert_eq!(numbers, [NOBODY, number]);
            index.remove(address);
            assert_eq!(index.lookup(address), None);
        }
    }
}

#[test]
fn as_many_are_answered_as_both_slices_have() {
    let mut index = AddressIndex::default();
    let addresses: Vec<[u8; 6]> = (0..200).map(|last| address(last).0).collect();
    for (number, octets) in addresses.iter().enumerate().filter(|(number, _)| number % 3 != 0) {
        index.insert(MacAddr(*octets), row(number));
    }
    for (asked, room) in [(200, 150), (150, 200), (1, 0), (0, 1), (64, 65), (128, 100)] {
        let mut rows = vec![7; room];
        index.lookup_octets(&addresses[..asked], &mut rows);
        for (number, found) in rows.into_iter().enumerate() {
            let owner = if number % 3 == 0 { NOBODY } else { u16::try_from(number).unwrap() };
            assert_eq!(found, if number < asked.min(room) { owner } else { 7 });
        }
    }
}

#[test]
fn addresses_as_they_are_given_out_stay_close_to_their_buckets() {
    type Series = fn(u64) -> u64;
    let series: [Series; 6] = [
        |number| number,
        |number| number << 8,
        |number| number << 24,
        |number| number << 32,
        |number| ((number % 256) << 40) | (number / 256),
        mix,
    ];
    for (which, key) in series.into_iter().enumerate() {
        let mut index = AddressIndex::default();
        for number in 0..65535 {
            let octets = key(number as u64 + 1).to_be_bytes();
            let taken = index.lookup(MacAddr([2, octets[3], octets[4], octets[5], octets[6], octets[7]]));
            let new = index.insert(MacAddr([2, octets[3], octets[4], octets[5], octets[6], octets[7]]), row(number));
            assert_eq!(new, taken.is_none());
        }
        assert!(furthest(&index) <= 7, "series {which}");
        assert_eq!(index.multiplier, MULTIPLIER, "series {which}");
        assert!(index.buckets.len() <= 16384);
    }
}

#[test]
fn addresses_chosen_for_one_bucket_are_placed_anew() {
    let chosen: Vec<u64> = (1..1_u64 << 48)
        .step_by(0x1234_5679)
        .map(|key| key | 2)
        .filter(|key| key.wrapping_mul(MULTIPLIER) >> 56 == 0)
        .take(700)
        .collect();
    assert_eq!(chosen.len(), 700);
    let mut index = AddressIndex::default();
    let mut multipliers = vec![MULTIPLIER];
    for (number, key) in chosen.iter().enumerate() {
        assert!(index.insert(from_key(*key), row(number)));
        multipliers.push(index.multiplier);
    }
    assert!(furthest(&index) <= LIMIT);
    multipliers.dedup();
    assert!((2..=3).contains(&multipliers.len()), "{multipliers:x?}");
    for (number, key) in chosen.iter().enumerate() {
        assert_eq!(index.lookup(from_key(*key)), Some(row(number)));
        index.remove(from_key(*key));
    }
    assert_eq!(index.len, 0);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(u64, u16),
    Remove(u64),
    Lookup(u64),
}

/// Few addresses, so that they meet again; some in a row, some that differ in one octet, some anywhere, zero, broadcast.
fn keys() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..400_u64,
        8 => (0..400_u64).prop_map(|number| ((number % 256) << 40) | ((number / 256) << 32) | 2),
        4 => (0..200_u64).prop_map(mix).prop_map(|key| key >> 16),
        1 => Just(0),
        1 => Just((1 << 48) - 1),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (keys(), any::<u16>()).prop_map(|(key, id)| Step::Insert(key, id)),
        2 => keys().prop_map(Step::Remove),
        1 => keys().prop_map(Step::Lookup),
    ];
    prop::collection::vec(step, 0..1500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Under the usual multiplier; under 1 and -1, by which all addresses have the first or the last bucket for their
    /// own until others are drawn; and under one that spreads them over few.
    #[test]
    fn it_is_a_map(
        multiplier in prop_oneof![Just(MULTIPLIER), Just(1), Just(u64::MAX), Just((1 << 18) + 1)], steps in steps()
    ) {
        let mut index = AddressIndex { multiplier, ..AddressIndex::default() };
        let mut model: HashMap<u64, u16> = HashMap::new();
        let mut asked = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, id) => {
                    prop_assert_eq!(index.insert(from_key(key), VrId::new(id)), !model.contains_key(&key));
                    model.entry(key).or_insert(id);
                    asked.push(from_key(key));
                }
                Step::Remove(key) => {
                    index.remove(from_key(key));
                    model.remove(&key);
                    asked.push(from_key(key));
                }
                Step::Lookup(key) => {
                    prop_assert_eq!(index.lookup(from_key(key)), model.get(&key).copied().map(VrId::new));
                    asked.push(from_key(key));
                }
            }
        }
        furthest(&index);
        prop_assert_eq!(index.len + usize::from(index.zero.is_some()), model.len());
        let mut rows = Vec::new();
        index.lookup_many(asked.iter().copied(), &mut rows);
        let octets: Vec<[u8; 6]> = asked.iter().map(|address| address.0).collect();
        let mut numbers = vec![1; octets.len()];
        index.lookup_octets(&octets, &mut numbers);
        for ((address, found), number) in asked.iter().zip(rows).zip(numbers) {
            let owner = model.get(&key(*address)).copied();
            prop_assert_eq!(found, owner.map(VrId::new));
            prop_assert_eq!(number, owner.unwrap_or(NOBODY));
        }
    }
}
