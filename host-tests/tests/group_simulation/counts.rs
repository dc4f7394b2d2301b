//! What was exercised: a simulation in which nothing happens proves nothing.

macro_rules! counts {
    ($($name:ident),* $(,)?) => {
        /// How often each thing happened.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Counts {
            /// Compare the digests of every position.
            pub(crate) every_digest: bool,
            $(pub(crate) $name: u64,)*
        }

        impl Counts {
            pub(crate) fn add(&mut self, other: &Counts) {
                $(self.$name += other.$name;)*
            }

            /// Everything of which there was none.
            pub(crate) fn missing(&self) -> Vec<&'static str> {
                let mut missing = Vec::new();
                $(if self.$name == 0 { missing.push(stringify!($name)); })*
                missing
            }
        }
    };
}

counts! {
    steps, entries, events, refused_entries, rounds, broken_rounds, assignments, joins, leaves, commits, expiries, timeouts,
    deletes, offset_deletes, epochs_reopened, snapshots, loads, loads_from_snapshot, digests_compared, acknowledged,
    heartbeats_good, heartbeats_bad, reads_compared, asks, answers, host_crashes, breaks, deaf, slow, unloads, refusals,
    stalls, deposals, topic_deletions, trims, entries_trimmed, guard_moves, duplicates, lost_sends, lost_receipts,
    quiet_phases, loads_replayed, abandoned, let_go, topics_collected,
}
