//! What the broker has to say on one connection, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use isthmus::pulsar::frame::write_command_with_section;
use isthmus::pulsar::proto::BaseCommand;
use isthmus::pulsar::proto::base_command::Type;
use isthmus::time::Instant;

use super::fault::Noise;
use crate::draw;

/// Answers of one lane keep their order, noise or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Producer(u64),
    Consumer(u64),
    /// An answer to one request: on its own.
    Request,
}

/// A frame on its way out.
#[derive(Debug)]
struct Parcel {
    frame: Vec<u8>,
    is_connected: bool,
}

/// Frames by the time they are due, then by the order they were put in.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    parcels: BTreeMap<(Instant, u64), Parcel>,
    last_of_lane: BTreeMap<Lane, Instant>,
    count: u64,
    bytes: usize,
    noise: Option<Noise>,
}

impl Outbox {
    pub(super) fn set_noise(&mut self, noise: Option<Noise>) {
        self.noise = noise;
    }

    /// Queues a frame for `now` and `delay` later.
    pub(super) fn push(&mut self, now: Instant, delay: Duration, lane: Lane, command: &BaseCommand, section: &Bytes) {
        let mut due = now + delay + self.drawn_delay(command.r#type());
        if lane != Lane::Request && !self.noise.as_ref().is_some_and(|noise| noise.break_order) {
            due = due.max(self.last_of_lane.get(&lane).copied().unwrap_or_default());
            self.last_of_lane.insert(lane, due);
        }
        let mut frame = Vec::new();
        write_command_with_section(command, section, &mut frame);
        self.bytes += frame.len();
        self.count += 1;
        let is_connected = command.r#type() == Type::Connected;
        self.parcels.insert((due, self.count), Parcel { frame, is_connected });
    }

    /// All bytes that are due, and whether CONNECTED is among them.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Vec<u8>, bool)> {
        let later = self.parcels.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.parcels, later);
        if due.is_empty() {
            return None;
        }
        let connected = due.values().any(|parcel| parcel.is_connected);
        let bytes: Vec<u8> = due.into_values().flat_map(|parcel| parcel.frame).collect();
        self.bytes -= bytes.len();
        Some((bytes, connected))
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.parcels.keys().next().map(|(due, _)| *due)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.parcels.clear();
        self.bytes = 0;
    }

    fn drawn_delay(&mut self, kind: Type) -> Duration {
        let Some(noise) = self.noise.as_mut().filter(|noise| noise.of.is_empty() || noise.of.contains(&kind)) else {
            return Duration::ZERO;
        };
        let max = u64::try_from(noise.max_delay.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(draw(&mut noise.seed) % (max + 1))
    }
}
