//! Inputs that the benchmarks share.

pub mod broker;
pub mod records;
pub mod session;
