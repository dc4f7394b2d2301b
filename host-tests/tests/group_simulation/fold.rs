//! Entries of several writers, straight into `apply`.
