//! Airtime and the error model: how long a frame lasts at a rate, and how likely it is lost at a signal-to-noise ratio.
//!
//! Rates are in units of 100 kbit/s. Up to 54 Mbit/s a frame has the OFDM preamble (IEEE 802.11-2020 17.4.3), above that
//! the HT mixed-format one (19.4.3). Not here: who transmits when (`medium`).

use core::time::Duration;

/// Between a frame and its acknowledgement (aSIFSTime, 17.4.4).
pub const SIFS: Duration = Duration::from_micros(16);
/// One backoff slot (aSlotTime, 17.4.4).
pub const SLOT: Duration = Duration::from_micros(9);
/// Idle time before a backoff: SIFS and two slots (10.3.7).
pub const DIFS: Duration = Duration::from_micros(34);
/// Slots of the first contention window (aCWmin, 17.4.4).
pub const CONTENTION_WINDOW: u64 = 15;

const OFDM_PREAMBLE_US: u64 = 20;
const HT_PREAMBLE_US: u64 = 36;
const SYMBOL_US: u64 = 4;
/// SERVICE and tail bits around the PSDU (17.3.2.4).
const SERVICE_AND_TAIL_BITS: u64 = 22;
const FCS_OCTETS: u64 = 4;
const ACK_OCTETS: usize = 10;
const HIGHEST_OFDM_RATE: u16 = 540;
/// The rate of group frames, management frames and acknowledgements: 6 and 24 Mbit/s are mandatory (17.3.8.2).
pub const BASIC_RATE: u16 = 240;

/// How long a frame of `octets` (without FCS) lasts.
pub fn airtime(octets: usize, rate: u16) -> Duration {
    let rate = u64::from(rate.max(10));
    let bits = SERVICE_AND_TAIL_BITS + 8 * (u64::try_from(octets).unwrap_or(u64::MAX >> 8) + FCS_OCTETS);
    // rate is 100 kbit/s: a symbol of 4 us carries rate * 4 / 10 bits.
    let symbols = (bits * 10).div_ceil(rate * SYMBOL_US);
    let preamble = if rate > u64::from(HIGHEST_OFDM_RATE) { HT_PREAMBLE_US } else { OFDM_PREAMBLE_US };
    Duration::from_micros(preamble + symbols * SYMBOL_US)
}

/// How long an acknowledgement lasts, the interframe space before it included.
pub fn acknowledgement() -> Duration {
    SIFS + airtime(ACK_OCTETS, BASIC_RATE)
}

/// The share of frames of `octets` that is lost at `snr_db`.
///
/// A logistic curve around the ratio that the rate's modulation needs (1 % loss of 1000 octets about 2 dB above it),
/// after the shape of measured packet error curves; it is a model, not a measurement.
pub fn loss_probability(snr_db: f64, rate: u16, octets: usize) -> f64 {
    let needed = match rate {
        0..=90 => 5.0,
        91..=120 => 7.0,
        121..=180 => 9.0,
        181..=240 => 13.0,
        241..=360 => 17.0,
        361..=480 => 21.0,
        481..=540 => 23.0,
        541..=1300 => 25.0,
        _ => 29.0,
    };
    let per_thousand = 1.0 / (1.0 + (2.3 * (snr_db - needed)).exp());
    let thousands = f64::from(u32::try_from(octets).unwrap_or(u32::MAX)) / 1000.0;
    1.0 - (1.0 - per_thousand).powf(thousands.max(0.05))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn airtime_is_that_of_the_standard() {
        // 1500 octets and FCS at 54 Mbit/s: 22 + 12032 bits in symbols of 216 bits are 56 symbols (17.4.3).
        assert_eq!(airtime(1500, 540), Duration::from_micros(20 + 56 * 4));
        // An acknowledgement at 24 Mbit/s: 134 bits in symbols of 96.
        assert_eq!(acknowledgement(), Duration::from_micros(16 + 20 + 2 * 4));
        assert_eq!(airtime(0, 0), airtime(0, 10));
    }

    #[test]
    fn loss_grows_with_rate_and_length_and_falls_with_the_signal() {
        assert!(loss_probability(40.0, 540, 1500) < 1e-9);
        assert!(loss_probability(10.0, 540, 1500) > 0.99);
        assert!(loss_probability(22.0, 540, 1500) > loss_probability(22.0, 540, 64));
        assert!(loss_probability(22.0, 540, 1500) > loss_probability(22.0, 60, 1500));
    }
}
