//! Kafka record batches to Pulsar entries and back: the record path.
