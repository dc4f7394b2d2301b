//! The shapes of the requests that are served.

mod cluster;
mod offsets;
mod records;
mod topics;
