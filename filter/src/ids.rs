//! The ids that cross module borders, each its own type so that none can stand for another.

/// Where an entry lies in a topic: Pulsar's ledger and entry ids. Ordered as the broker appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Ledger id; grows along a topic, with gaps.
    pub ledger: u64,
    /// Entry id inside the ledger, from 0 without gaps.
    pub entry: u64,
}

impl Position {
    /// What `start_message_id` calls earliest: (-1, -1) (`MessageId.earliest`).
    pub const EARLIEST: Position = Position { ledger: u64::MAX, entry: u64::MAX };
    /// What `start_message_id` calls latest (`MessageId.latest`).
    pub const LATEST: Position = Position { ledger: i64::MAX as u64, entry: i64::MAX as u64 };

    /// Whether `next` is the entry right behind this one in the same ledger, with nothing in between.
    pub fn is_followed_by(self, next: Position) -> bool {
        self.ledger == next.ledger && self.entry.checked_add(1) == Some(next.entry)
    }

    /// The entry before this one in the same ledger.
    pub fn previous(self) -> Option<Position> {
        Some(Position { ledger: self.ledger, entry: self.entry.checked_sub(1)? })
    }

    /// The entry after this one in the same ledger.
    pub fn next(self) -> Option<Position> {
        Some(Position { ledger: self.ledger, entry: self.entry.checked_add(1)? })
    }
}

/// A Kafka offset that exists or could: never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Offset = Offset(0);

    /// `None` for the negative numbers, which Kafka uses as sentinels.
    pub fn new(value: i64) -> Option<Offset> {
        (value >= 0).then_some(Offset(value))
    }

    /// The offset before this one.
    pub fn previous(self) -> Option<Offset> {
        Self::new(self.0.checked_sub(1)?)
    }

    /// The number on the wire.
    pub fn value(self) -> i64 {
        self.0
    }

    /// The offset `n` further on, staying at the last possible one.
    pub fn plus(self, n: u32) -> Offset {
        Offset(self.0.saturating_add(i64::from(n)))
    }
}

/// `request_id` of a Pulsar command, unique on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// `consumer_id` of a Pulsar consumer, never used twice on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerId(pub u64);

/// `producer_id` of a Pulsar producer, never used twice on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProducerId(pub u64);

/// One client connection, as the host numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);
