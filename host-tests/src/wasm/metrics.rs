//! The stats a filter defines. They belong to the process: a reloaded VM that defines the same name goes on counting.

use std::collections::BTreeMap;

use super::status::Status;

/// What a metric holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Only grows.
    Counter(u64),
    /// Goes both ways.
    Gauge(u64),
    /// Every value recorded, in order.
    Histogram(Vec<u64>),
}

/// All metrics by name, and the ids handed to the guest.
#[derive(Default)]
pub(super) struct Metrics {
    by_name: BTreeMap<String, Metric>,
    names: Vec<String>,
}

impl Metrics {
    /// `kind` as in the ABI: 0 counter, 1 gauge, 2 histogram.
    pub(super) fn define(&mut self, kind: u32, name: &str) -> Result<u32, Status> {
        let fresh = match kind {
            0 => Metric::Counter(0),
            1 => Metric::Gauge(0),
            2 => Metric::Histogram(Vec::new()),
            _ => return Err(Status::BadArgument),
        };
        self.by_name.entry(name.to_string()).or_insert(fresh);
        self.names.push(name.to_string());
        Ok(u32::try_from(self.names.len()).unwrap_or(u32::MAX))
    }

    /// Envoy refuses to add nothing, or less, to a counter.
    pub(super) fn increment(&mut self, id: u32, offset: i64) -> Result<(), Status> {
        match self.by_id(id)? {
            Metric::Counter(value) if offset > 0 => *value += offset.unsigned_abs(),
            Metric::Gauge(value) => *value = value.saturating_add_signed(offset),
            Metric::Counter(_) | Metric::Histogram(_) => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// Envoy adds to a counter that is recorded.
    pub(super) fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        match self.by_id(id)? {
            Metric::Counter(counter) => *counter += value,
            Metric::Gauge(gauge) => *gauge = value,
            Metric::Histogram(values) => values.push(value),
        }
        Ok(())
    }

    pub(super) fn value(&mut self, id: u32) -> Result<u64, Status> {
        match self.by_id(id)? {
            Metric::Counter(value) | Metric::Gauge(value) => Ok(*value),
            Metric::Histogram(_) => Err(Status::BadArgument),
        }
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Metric> {
        &self.by_name
    }

    fn by_id(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let name = (id as usize).checked_sub(1).and_then(|at| self.names.get(at)).ok_or(Status::NotFound)?;
        self.by_name.get_mut(name).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_defined_again_goes_on_counting() {
        let mut metrics = Metrics::default();
        let first = metrics.define(0, "requests").unwrap();
        metrics.increment(first, 2).unwrap();
        let second = metrics.define(0, "requests").unwrap();
        metrics.increment(second, 3).unwrap();
        assert_eq!(metrics.all()["requests"], Metric::Counter(5));
    }

    #[test]
    fn a_counter_refuses_to_be_incremented_by_zero() {
        let mut metrics = Metrics::default();
        let id = metrics.define(0, "requests").unwrap();
        assert_eq!(metrics.increment(id, 0), Err(Status::BadArgument));
    }
}
