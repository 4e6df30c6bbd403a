//! The medium with stations made for the purpose: order, chance, presence, acknowledgements.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]

use core::time::Duration;
use std::collections::VecDeque;

use polyradio_core::air::{AirStation, Burst, Channel, Link, Medium, Reception, TransmitReport};
use polyradio_core::frame_batch::FrameBatch;
use polyradio_core::ids::MacAddr;
use polyradio_core::time::Instant;
use proptest::prelude::*;

/// A station that sends what it is told and remembers what it hears.
#[derive(Debug)]
struct Plain {
    address: MacAddr,
    channel: Option<Channel>,
    to_send: VecDeque<Vec<Vec<u8>>>,
    heard: Vec<(Instant, Vec<u8>)>,
    reports: Vec<(usize, usize)>,
    /// It leaves its channel at that time.
    leaves_at: Option<Instant>,
}

impl Plain {
    fn new(number: u8, channel: Channel) -> Self {
        Self {
            address: address(number),
            channel: Some(channel),
            to_send: VecDeque::new(),
            heard: Vec::new(),
            reports: Vec::new(),
            leaves_at: None,
        }
    }
}

impl AirStation for Plain {
    fn channel(&self) -> Option<Channel> {
        self.channel
    }

    fn acknowledges(&self, receiver: MacAddr) -> bool {
        self.channel.is_some() && receiver == self.address
    }

    fn handle_air_frames(&mut self, frames: &FrameBatch, reception: Reception, now: Instant) {
        assert_eq!(Some(reception.channel), self.channel);
        self.heard.extend(frames.iter().map(|frame| (now, frame.to_vec())));
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<Burst> {
        let frames = self.to_send.pop_front()?;
        let frames = frames.iter().map(Vec::as_slice).collect();
        Some(Burst { channel: self.channel?, rate: 540, frames, vms: Vec::new() })
    }

    fn handle_transmit_report(&mut self, report: TransmitReport, _now: Instant) {
        self.reports.push((report.done, report.burst.frames.len()));
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.leaves_at.is_some_and(|at| at <= now) {
            (self.channel, self.leaves_at) = (None, None);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.leaves_at
    }
}

fn address(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

fn frame(receiver: MacAddr, number: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![0x88, 0x01, 0, 0];
    frame.extend(receiver.octets());
    frame.extend([0; 16]);
    frame.push(number);
    frame.resize(length.max(27), 0);
    frame
}

struct Air {
    medium: Medium,
    stations: Vec<Plain>,
    now: Instant,
    seen: Vec<(Instant, usize, u8)>,
}

impl Air {
    fn new(seed: u64, channels: &[Channel]) -> Self {
        let mut medium = Medium::new(seed);
        let stations = channels.iter().enumerate().map(|(number, channel)| {
            assert_eq!(medium.add_radio(), number);
            Plain::new(u8::try_from(number).expect("few"), *channel)
        });
        Self { stations: stations.collect(), medium, now: Instant::ZERO, seen: Vec::new() }
    }

    fn send(&mut self, sender: usize, frames: Vec<Vec<u8>>) {
        self.stations[sender].to_send.push_back(frames);
        self.medium.touch(sender);
    }

    /// Until nothing is left to be done.
    fn run(&mut self) -> Duration {
        for _ in 0..100_000 {
            for station in &mut self.stations {
                station.handle_timeout(self.now);
            }
            let seen = &mut self.seen;
            self.medium.advance(&mut self.stations, self.now, &mut |frame| {
                seen.push((frame.start, frame.sender, frame.frame[26]));
            });
            let stations = self.stations.iter().filter_map(AirStation::poll_timeout);
            let Some(next) = stations.chain(self.medium.poll_timeout()).min() else {
                return self.now.since(Instant::ZERO);
            };
            assert!(next >= self.now);
            self.now = next;
        }
        unreachable!("the air does not come to rest");
    }

    fn numbers_heard(&self, station: usize) -> Vec<u8> {
        self.stations[station].heard.iter().map(|(_, frame)| frame[26]).collect()
    }
}

#[test]
fn a_burst_is_heard_by_all_on_its_channel_and_by_nobody_else() {
    let mut air = Air::new(1, &[36, 36, 36, 40]);
    air.send(0, vec![frame(address(1), 1, 100), frame(MacAddr::BROADCAST, 2, 100)]);
    air.run();
    assert_eq!((air.numbers_heard(1), air.numbers_heard(2), air.numbers_heard(3)), (vec![1, 2], vec![1, 2], vec![]));
    assert_eq!((air.numbers_heard(0), &air.stations[0].reports), (vec![], &vec![(2, 2)]));
}

#[test]
fn a_burst_ends_at_the_first_frame_that_nobody_acknowledges() {
    let mut air = Air::new(1, &[36, 36]);
    let frames = [address(1), address(9), address(1)];
    air.send(0, frames.iter().zip(1..).map(|(receiver, number)| frame(*receiver, number, 100)).collect());
    air.run();
    assert_eq!(air.stations[0].reports, [(1, 3)]);
    assert_eq!(air.numbers_heard(1), [1, 2]);
    assert_eq!(air.seen.len(), 2, "the third did not go out");
}

#[test]
fn an_exchange_lasts_as_long_as_the_standard_says() {
    let mut air = Air::new(1, &[36, 36]);
    air.send(0, vec![frame(address(1), 1, 1496)]);
    air.run();
    // An idle channel: no countdown. 20 + 4 * 56 us of data, SIFS, an acknowledgement at 24 Mbit/s.
    assert_eq!(air.stations[1].heard[0].0, Instant::from_nanos(1000 * (244 + 16 + 28)));
}

#[test]
fn who_leaves_before_the_end_has_nothing_and_acknowledges_nothing() {
    let mut air = Air::new(1, &[36, 36, 36]);
    air.send(0, vec![frame(MacAddr::BROADCAST, 1, 100), frame(address(1), 2, 1400)]);
    air.stations[1].leaves_at = Some(Instant::from_nanos(150_000));
    air.run();
    assert_eq!(air.stations[0].reports, [(1, 2)]);
    assert_eq!((air.numbers_heard(1), air.numbers_heard(2)), (vec![], vec![1, 2]));
}

#[test]
fn a_radio_that_is_off_is_not_there() {
    let mut air = Air::new(1, &[36, 36]);
    air.medium.set_enabled(1, false);
    air.send(0, vec![frame(address(1), 1, 100)]);
    air.send(1, vec![frame(address(0), 2, 100)]);
    air.run();
    assert_eq!((air.stations[0].reports.as_slice(), air.stations[1].reports.as_slice()), (&[(0, 1)][..], &[][..]));
    air.medium.set_enabled(1, true);
    air.run();
    assert_eq!((air.stations[1].reports.as_slice(), air.numbers_heard(0)), (&[(1, 1)][..], vec![2]));
}

#[test]
fn delay_lengthens_every_exchange_by_the_way_there_and_back() {
    let time = |delay| {
        let mut air = Air::new(1, &[36, 36]);
        air.medium.set_link(1, 0, Link { delay, ..Link::default() });
        air.send(0, vec![frame(address(1), 1, 100), frame(address(1), 2, 100)]);
        air.run()
    };
    let far = Duration::from_micros(100);
    assert_eq!(time(far), time(Duration::ZERO) + far * 5);
}

#[test]
fn two_that_always_have_something_to_send_share_the_channel() {
    let mut air = Air::new(5, &[36, 36]);
    for _ in 0..500 {
        air.send(0, vec![frame(address(1), 1, 1000)]);
        air.send(1, vec![frame(address(0), 2, 1000)]);
    }
    air.run();
    let half = &air.seen[..500];
    let first = half.iter().filter(|(_, sender, _)| *sender == 0).count();
    assert!((200..300).contains(&first), "{first} of 500");
    let starts: Vec<Instant> = air.seen.iter().map(|(start, ..)| *start).collect();
    assert!(starts.is_sorted());
}

#[test]
fn ideal_air_takes_a_microsecond_for_a_frame() {
    let mut air = Air::new(1, &[36, 36]);
    air.medium.set_ideal(true);
    for _ in 0..10 {
        air.send(0, vec![frame(address(1), 1, 1500); 3]);
    }
    assert_eq!(air.run(), Duration::from_micros(30));
    let airtime: Duration = air.medium.airtime(0).map(|(_, time)| time).sum();
    assert_eq!(airtime, Duration::from_micros(30));
}

type Sending = (usize, usize, Vec<(u8, usize)>);

/// Frames on the air: start, sender, number. And the numbers that each station heard.
type Outcome = (Vec<(Instant, usize, u8)>, Vec<Vec<u8>>);

fn run_of(seed: u64, sendings: &[Sending], loss: f64, snr_db: f64) -> Outcome {
    let mut air = Air::new(seed, &[1, 1, 1, 36, 36]);
    for other in 1..5 {
        air.medium.set_link(0, other, Link { loss, snr_db, ..Link::default() });
    }
    for (sender, receiver, frames) in sendings {
        let to = u8::try_from(*receiver).expect("few");
        air.send(*sender, frames.iter().map(|(number, length)| frame(address(to), *number, *length)).collect());
    }
    air.run();
    let heard = (0..5).map(|station| air.numbers_heard(station)).collect();
    // Whatever was sent was reported on.
    for (number, station) in air.stations.iter().enumerate() {
        assert_eq!(station.reports.len(), sendings.iter().filter(|(sender, ..)| *sender == number).count());
    }
    (air.seen, heard)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_seed_gives_the_same_run(
        seed in any::<u64>(),
        sendings in prop::collection::vec(
            (0..5_usize, 0..6_usize, prop::collection::vec((any::<u8>(), 27..1500_usize), 1..5)),
            0..30,
        ),
        loss in 0.0..0.9,
        snr_db in 10.0..40.0,
    ) {
        prop_assert_eq!(run_of(seed, &sendings, loss, snr_db), run_of(seed, &sendings, loss, snr_db));
    }
}
