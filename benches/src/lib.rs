//! Inputs that the benchmarks share.

pub mod records;
