//! Airtime and the error model: how long a frame lasts, and how likely it arrives.
//!
//! Legacy OFDM (IEEE 802.11-2020 17) and DSSS (15, 16) exactly; rates above 54 Mbit/s by a formula like HT's and VHT's.
//! Not here: who hears whom, contention (`medium`).
//! Promise: no table look-up fails: any number is a rate, any channel number has a band.

use core::time::Duration;

use super::station::Channel;

/// A slot (IEEE 802.11-2020 Table 17-21; short slots in the 2.4 GHz band).
pub const SLOT: Duration = Duration::from_micros(9);
/// Smallest contention window (Table 17-21).
pub const CW_MIN: u16 = 15;
/// The largest one, after many failures.
pub const CW_MAX: u16 = 1023;
/// The lowest rate of OFDM: beacons and management frames, units of 100 kbit/s.
pub const LOWEST_RATE: u16 = 60;
/// The highest rate of legacy OFDM.
pub const HIGHEST_LEGACY_RATE: u16 = 540;
/// Thermal noise and noise figure of a 20 MHz receiver, in dBm: signal = SNR + this.
pub const NOISE_FLOOR_DBM: f64 = -95.0;

const FCS_LENGTH: u64 = 4;
/// Octets of an acknowledgement, FCS not counted.
pub const ACK_LENGTH: usize = 10;
const SYMBOL_US: u64 = 4;

/// True for channels of the 2.4 GHz band.
pub const fn is_2_4_ghz(channel: Channel) -> bool {
    channel <= 14
}

/// Short interframe space.
pub const fn sifs(channel: Channel) -> Duration {
    Duration::from_micros(if is_2_4_ghz(channel) { 10 } else { 16 })
}

/// Distributed interframe space: how long the medium must be idle before the countdown starts.
pub const fn difs(channel: Channel) -> Duration {
    sifs(channel).saturating_add(SLOT).saturating_add(SLOT)
}

/// How long an MPDU of `length` octets, FCS not counted, lasts at `rate` (units of 100 kbit/s; 0 is the lowest rate).
pub fn airtime(length: usize, rate: u16, channel: Channel) -> Duration {
    let octets = length as u64 + FCS_LENGTH;
    if (1..LOWEST_RATE).contains(&rate) {
        return Duration::from_micros(LONG_PREAMBLE_US + (octets * 80).div_ceil(u64::from(rate)));
    }
    let rate = rate.max(LOWEST_RATE);
    let preamble = if rate > HIGHEST_LEGACY_RATE { HT_PREAMBLE_US } else { OFDM_PREAMBLE_US };
    // Data bits per symbol: 100 kbit/s for 4 us are 0.4 bits. SERVICE 16 bits, tail 6 bits (17.3.2.4).
    let tenths = (16 + 8 * octets + 6) * 10;
    let symbols = tenths.div_ceil(u64::from(rate) * SYMBOL_US);
    // ERP-OFDM has a signal extension of 6 us (18.3.2.4).
    let extension = if is_2_4_ghz(channel) { SIGNAL_EXTENSION_US } else { 0 };
    Duration::from_micros(preamble + symbols * SYMBOL_US + extension)
}

/// The rate of an acknowledgement: the highest mandatory rate that is not above the frame's (10.6.6.5.2).
pub const fn ack_rate(rate: u16) -> u16 {
    match rate {
        0 => LOWEST_RATE,
        1..LOWEST_RATE => 10,
        LOWEST_RATE..120 => LOWEST_RATE,
        120..240 => 120,
        _ => 240,
    }
}

/// How long an acknowledgement of a frame at `rate` lasts.
pub fn ack_airtime(rate: u16, channel: Channel) -> Duration {
    airtime(ACK_LENGTH, ack_rate(rate), channel)
}

/// How long a sender waits from a frame's end to the end of its acknowledgement, had or missed (10.3.2.11).
pub fn ack_wait(rate: u16, channel: Channel) -> Duration {
    sifs(channel) + ack_airtime(rate, channel)
}

/// How likely a frame of `length` octets is lost at this signal-to-noise ratio, 0 to 1.
///
/// A logistic curve around the ratio at which the rate loses half of its frames of 1000 octets. Exactly 0 from 15 dB
/// above it, exactly 1 from 15 dB below it: a good link draws no random numbers.
pub fn error_rate(snr_db: f64, rate: u16, length: usize) -> f64 {
    let margin = snr_db - half_loss_snr(rate);
    if margin >= CERTAIN_DB {
        return 0.0;
    }
    if margin <= -CERTAIN_DB {
        return 1.0;
    }
    let success = 1.0 / (1.0 + (-margin / STEEPNESS_DB).exp());
    let kilooctets = f64::from(u32::try_from(length).unwrap_or(u32::MAX)) / 1000.0;
    1.0 - success.powf(kilooctets.max(MIN_KILOOCTETS))
}

/// How strong a signal of this ratio is, in dBm.
pub fn signal_dbm(snr_db: f64) -> i8 {
    let signal = (snr_db + NOISE_FLOOR_DBM).round().clamp(f64::from(i8::MIN), 0.0);
    #[expect(clippy::cast_possible_truncation, reason = "clamped on the line above")]
    let signal = signal as i8;
    signal
}

/// The signal-to-noise ratio at which half of the frames of 1000 octets are lost, in dB.
fn half_loss_snr(rate: u16) -> f64 {
    let index = HALF_LOSS.partition_point(|(step, _)| *step < rate);
    match HALF_LOSS.get(index) {
        Some((_, snr)) => *snr,
        // 3 dB for each doubling: twice the bandwidth has twice the noise, and denser symbols cost about as much.
        None => HALF_LOSS_54 + 10.0 * (f64::from(rate) / f64::from(HIGHEST_LEGACY_RATE)).log10(),
    }
}

const HALF_LOSS_54: f64 = 21.0;

/// Rates and their ratios, close to the minimum sensitivities of IEEE 802.11-2020 Table 17-18.
const HALF_LOSS: [(u16, f64); 12] = [
    (10, -1.0),
    (20, 1.0),
    (55, 2.0),
    (60, 2.0),
    (90, 3.0),
    (110, 4.0),
    (120, 5.0),
    (180, 7.0),
    (240, 10.0),
    (360, 14.0),
    (480, 18.5),
    (540, HALF_LOSS_54),
];

const CERTAIN_DB: f64 = 15.0;
const STEEPNESS_DB: f64 = 0.8;
const MIN_KILOOCTETS: f64 = 0.05;
const OFDM_PREAMBLE_US: u64 = 20;
const HT_PREAMBLE_US: u64 = 36;
const LONG_PREAMBLE_US: u64 = 192;
const SIGNAL_EXTENSION_US: u64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(length: usize, rate: u16, channel: Channel) -> u128 {
        airtime(length, rate, channel).as_micros()
    }

    #[test]
    fn legacy_frames_last_as_the_standard_computes() {
        // TXTIME = 20 us + 4 us * ceil((16 + 8 * LENGTH + 6) / NDBPS), 17.4.3, with the FCS in LENGTH.
        assert_eq!(micros(1496, 540, 36), 20 + 4 * 56);
        assert_eq!(micros(1496, 60, 36), 20 + 4 * 501);
        assert_eq!(micros(10, 240, 36), 28);
        assert_eq!(micros(10, 240, 6), 34);
        assert_eq!(micros(96, 10, 6), 192 + 800);
    }

    #[test]
    fn faster_rates_never_last_longer() {
        for length in [10, 100, 1500] {
            let rates = [60, 90, 120, 180, 240, 360, 480, 540, 1300, 4333, 8667];
            let times: Vec<_> = rates.iter().map(|rate| micros(length, *rate, 36)).collect();
            let legacy = times.get(..8).unwrap_or_default();
            assert!(legacy.is_sorted_by(|slow, fast| slow >= fast), "{times:?}");
        }
    }

    #[test]
    fn acknowledgements_use_a_mandatory_rate() {
        let rates = [10, 55, 60, 90, 120, 180, 240, 540, 8667].map(ack_rate);
        assert_eq!(rates, [10, 10, 60, 60, 120, 120, 240, 240, 240]);
        assert_eq!(ack_wait(540, 36).as_micros(), 16 + 28);
    }

    #[test]
    fn a_good_link_loses_nothing_and_a_dead_one_everything() {
        for rate in [0, 10, 60, 540, 8667] {
            assert!(error_rate(60.0, rate, 1500).abs() < f64::EPSILON, "{rate}");
            assert!((error_rate(-30.0, rate, 1500) - 1.0).abs() < f64::EPSILON, "{rate}");
        }
        assert!((error_rate(21.0, 540, 1000) - 0.5).abs() < 0.01);
        assert!(error_rate(20.0, 540, 1500) > error_rate(22.0, 540, 1500));
        assert!(error_rate(21.0, 540, 1500) > error_rate(21.0, 540, 100));
        assert!(error_rate(21.0, 540, 1500) > error_rate(21.0, 480, 1500));
    }

    #[test]
    fn signal_follows_the_ratio() {
        assert_eq!((signal_dbm(40.0), signal_dbm(-200.0), signal_dbm(500.0)), (-55, -128, 0));
    }
}
