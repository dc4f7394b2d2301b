//! The host-side test harness.
