//! One clock for all, and each host's own view of it.

use isthmus::time::{Instant, Now, UnixMillis};

/// True time.
pub(crate) type Micros = u64;

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;

/// A clock that starts anywhere, and runs a little too fast or too slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skewed {
    pub(crate) offset_nanos: u64,
    /// Local nanoseconds in a true microsecond: 1000 is right.
    pub(crate) rate: u64,
    pub(crate) unix_offset_ms: i64,
}

impl Skewed {
    pub(crate) fn at(self, true_time: Micros) -> Now {
        Now {
            instant: Instant::from_nanos(self.offset_nanos + true_time * self.rate),
            unix: UnixMillis(1_700_000_000_000 + self.unix_offset_ms + (true_time / MS) as i64),
        }
    }

    /// The true time at which this clock shows `instant`.
    pub(crate) fn true_time(self, instant: Instant) -> Micros {
        let nanos = instant.since(Instant::from_nanos(self.offset_nanos)).as_nanos() as u64;
        nanos.div_ceil(self.rate)
    }
}
