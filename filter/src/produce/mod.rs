//! The write path: one Pulsar producer per partition and producer id, batches in order, each acknowledged with its offset.

pub mod counts;
pub mod history;
pub mod outcome;
pub mod pending;
pub mod producer;
pub mod producers;
pub mod readback;
pub mod sequence;
pub mod trail;
