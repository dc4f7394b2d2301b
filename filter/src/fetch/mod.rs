//! The read path: one reader per partition that a connection fetches, and the Fetch response built from what they hold.

pub mod ahead;
pub mod flow;
pub mod gate;
pub mod reader;
pub mod readers;
pub mod response;
pub mod sum;
pub mod unplaced;
