//! Counters, gauges and latencies, collected until the host takes them. The set is fixed: series cannot be removed from Envoy's stats.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::apis::APIS;

/// Bound of latency samples between two drains; beyond it samples are left out, not counted wrongly.
const MAX_SAMPLES: usize = 4096;

/// What is counted for the worker as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections accepted.
    Connections,
    /// Connections refused or closed for what the client sent.
    RefusedConnections,
    /// Connections closed for what the broker did or did not do.
    BrokerFailures,
    /// Bytes that came from clients.
    BytesFromClients,
    /// Bytes that went to clients.
    BytesToClients,
    /// Bytes that came from brokers.
    BytesFromBrokers,
    /// PINGs sent to get a response out.
    Pings,
    /// Records written.
    RecordsIn,
    /// Records read.
    RecordsOut,
    /// Batches sent with `acks=0` by clients that left before they could go to the broker.
    LostBatches,
}

/// What rises and falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Connections open.
    OpenConnections,
    /// Bytes of requests that wait to be sent on.
    HeldBytes,
    /// Bytes that readers hold or have allowed the broker to send.
    PrefetchBytes,
    /// Groups that workers have loaded; one counts once for each worker.
    Groups,
    /// Bytes of their states.
    GroupBytes,
}

const COUNTERS: &[(Counter, &str)] = &[
    (Counter::Connections, "isthmus.connections_total"),
    (Counter::RefusedConnections, "isthmus.connections_refused"),
    (Counter::BrokerFailures, "isthmus.broker_failures"),
    (Counter::BytesFromClients, "isthmus.bytes_from_clients"),
    (Counter::BytesToClients, "isthmus.bytes_to_clients"),
    (Counter::BytesFromBrokers, "isthmus.bytes_from_brokers"),
    (Counter::Pings, "isthmus.pings"),
    (Counter::RecordsIn, "isthmus.records_in"),
    (Counter::RecordsOut, "isthmus.records_out"),
    (Counter::LostBatches, "isthmus.batches_lost"),
];

const GAUGES: &[(Gauge, &str)] = &[
    (Gauge::OpenConnections, "isthmus.connections"),
    (Gauge::HeldBytes, "isthmus.held_bytes"),
    (Gauge::PrefetchBytes, "isthmus.prefetch_bytes"),
    (Gauge::Groups, "isthmus.groups"),
    (Gauge::GroupBytes, "isthmus.group_bytes"),
];

/// A row of the API table, or all that is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api(usize);

impl Api {
    /// The row of `key`.
    pub fn of(key: ApiKey) -> Self {
        Self(APIS.iter().position(|api| api.key == key).unwrap_or(APIS.len()))
    }
}

/// How the host keeps a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Takes samples, in microseconds.
    Histogram,
}

/// Which series, as an index into [`definitions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series(pub usize);

/// Every series with its name, in order.
pub fn definitions() -> Vec<(Kind, String)> {
    let apis = || APIS.iter().map(|api| format!("{:?}", api.key)).chain(["other".into()]);
    let named = |prefix: &'static str| apis().map(move |api| format!("isthmus.{prefix}.{}", api.to_lowercase()));
    COUNTERS
        .iter()
        .map(|(_, name)| (Kind::Counter, (*name).to_owned()))
        .chain(GAUGES.iter().map(|(_, name)| (Kind::Gauge, (*name).to_owned())))
        .chain(named("requests").map(|name| (Kind::Counter, name)))
        .chain(named("errors").map(|name| (Kind::Counter, name)))
        .chain(named("latency_us").map(|name| (Kind::Histogram, name)))
        .collect()
}

/// Since the last drain.
#[derive(Debug)]
pub struct Metrics {
    counters: [u64; COUNTERS.len()],
    gauges: [u64; GAUGES.len()],
    /// What the host was told last: it sums the gauges of all workers, so it gets differences.
    gauges_told: [u64; GAUGES.len()],
    requests: [u64; APIS.len() + 1],
    errors: [u64; APIS.len() + 1],
    samples: Vec<(Api, u64)>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            counters: [0; COUNTERS.len()],
            gauges: [0; GAUGES.len()],
            gauges_told: [0; GAUGES.len()],
            requests: [0; APIS.len() + 1],
            errors: [0; APIS.len() + 1],
            samples: Vec::new(),
        }
    }
}

impl Metrics {
    /// Adds to a counter.
    pub fn count(&mut self, counter: Counter, n: usize) {
        if let Some(value) = self.counters.get_mut(counter as usize) {
            *value = value.saturating_add(n as u64);
        }
    }

    /// Sets a gauge.
    pub fn set(&mut self, gauge: Gauge, n: usize) {
        if let Some(value) = self.gauges.get_mut(gauge as usize) {
            *value = n as u64;
        }
    }

    /// A request came.
    pub fn count_request(&mut self, api: Api) {
        if let Some(value) = self.requests.get_mut(api.0) {
            *value = value.saturating_add(1);
        }
    }

    /// A request was answered with an error, in whole or in part, or ended the connection.
    pub fn count_error(&mut self, api: Api) {
        if let Some(value) = self.errors.get_mut(api.0) {
            *value = value.saturating_add(1);
        }
    }

    /// A request was answered after `latency`.
    pub fn observe_latency(&mut self, api: Api, latency: Duration) {
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push((api, u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)));
        }
    }

    /// Gives every change since the last drain to `report`: what to add to a counter or gauge, or a sample. In the order of [`definitions`].
    pub fn drain(&mut self, mut report: impl FnMut(Series, Kind, i64)) {
        let mut series = 0usize;
        for value in &mut self.counters {
            if *value > 0 {
                report(Series(series), Kind::Counter, signed(std::mem::take(value)));
            }
            series = series.saturating_add(1);
        }
        for (value, told) in self.gauges.iter().zip(&mut self.gauges_told) {
            let change = i128::from(*value).saturating_sub(i128::from(*told));
            if change != 0 {
                report(Series(series), Kind::Gauge, i64::try_from(change).unwrap_or(0));
                *told = *value;
            }
            series = series.saturating_add(1);
        }
        for value in self.requests.iter_mut().chain(&mut self.errors) {
            if *value > 0 {
                report(Series(series), Kind::Counter, signed(std::mem::take(value)));
            }
            series = series.saturating_add(1);
        }
        for (api, micros) in self.samples.drain(..) {
            report(Series(series.saturating_add(api.0)), Kind::Histogram, signed(micros));
        }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_the_order_of_their_enums() {
        assert!(COUNTERS.iter().enumerate().all(|(index, (counter, _))| *counter as usize == index));
        assert!(GAUGES.iter().enumerate().all(|(index, (gauge, _))| *gauge as usize == index));
    }

    #[test]
    fn a_gauge_is_told_by_its_changes() {
        let mut metrics = Metrics::default();
        let mut told = Vec::new();
        for value in [5, 5, 2] {
            metrics.set(Gauge::OpenConnections, value);
            metrics.drain(|_, _, change| told.push(change));
        }
        assert_eq!(told, [5, -3]);
    }

    #[test]
    fn what_is_reported_is_reported_under_its_own_name() {
        let names = definitions();
        let mut metrics = Metrics::default();
        metrics.count_request(Api::of(ApiKey::Fetch));
        metrics.observe_latency(Api::of(ApiKey::Fetch), Duration::from_millis(2));
        metrics.count_error(Api::of(ApiKey::Vote));
        let mut seen = Vec::new();
        metrics.drain(|series, kind, value| seen.push((names[series.0].clone(), kind, value)));
        assert_eq!(
            seen,
            [
                ((Kind::Counter, "isthmus.requests.fetch".to_owned()), Kind::Counter, 1),
                ((Kind::Counter, "isthmus.errors.other".to_owned()), Kind::Counter, 1),
                ((Kind::Histogram, "isthmus.latency_us.fetch".to_owned()), Kind::Histogram, 2000),
            ]
        );
    }
}
