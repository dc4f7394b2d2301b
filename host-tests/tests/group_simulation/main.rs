//! A group's replicas in a world of one virtual clock: hosts with skewed clocks, links that break and lie, a broker that stalls,
//! moves and forgets, and Kafka's clients. After everything that happens the specification's invariants hold.
//!
//! One seed is one run. `ISTHMUS_TEST_SEED=<seed>` runs one seed alone, `ISTHMUS_TEST_ALL=1` runs many more.

mod client;
mod counts;
mod dice;
mod fault;
mod fold;
mod host;
mod invariants;
mod link;
mod time;
mod topic;
mod truth;
mod world;

use counts::Counts;
use world::{Plan, World};

/// Seeds that found a defect once.
const FOUND: [u64; 0] = [];

/// How many seeds are run.
fn seeds(few: u64, many: u64) -> Vec<u64> {
    if let Some(seed) = std::env::var("ISTHMUS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return vec![seed];
    }
    let first = std::env::var("ISTHMUS_TEST_FIRST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let count = if std::env::var_os("ISTHMUS_TEST_ALL").is_some() { many } else { few };
    FOUND.into_iter().chain(first..first + count).collect()
}

/// Says how to repeat a run that fails.
struct Repeat(u64, &'static str);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "seed {}: ISTHMUS_TEST_SEED={} cargo test -p isthmus-host-tests --test group_simulation {}",
                self.0, self.0, self.1
            );
        }
    }
}

#[test]
fn the_invariants_hold_whatever_fails() {
    let mut total = Counts::default();
    let seeds = seeds(40, 2000);
    for seed in &seeds {
        let _repeat = Repeat(*seed, "the_invariants_hold_whatever_fails");
        let plan = Plan { seed: *seed, rounds: 6, every_digest: std::env::var_os("ISTHMUS_TEST_ALL").is_some() };
        let mut world = World::new(plan);
        world.run(plan);
        total.add(&world.counts);
    }
    println!("{} runs: {total:#?}", seeds.len());
    if seeds.len() > 1 {
        assert_eq!(total.missing(), Vec::<&str>::new(), "some things never happened");
    }
}
