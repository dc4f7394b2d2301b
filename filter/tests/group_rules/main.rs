//! What each event does to a group, one rule a test.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../group_support/mod.rs"]
mod group_support;

mod commits;
mod endings;
mod entries;
mod joins;
mod leaving;
mod loads;
mod offsets_gone;
mod rounds;
mod snapshots;
mod state_bytes;
mod syncs;
mod time;
mod transactions;
mod worked_rebalance;
