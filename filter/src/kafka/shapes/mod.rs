//! The shapes of the requests that are served.

mod cluster;
mod groups;
mod offsets;
mod records;
mod topics;
