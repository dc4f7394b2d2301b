//! The third machine: it keeps the Kafka half and the Pulsar half of a connection in step.
//!
//! [`order`] lets responses leave in request order; [`link`] says what each half does in view of the other's state.

pub mod link;
pub mod order;
