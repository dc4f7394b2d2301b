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
use fold::Fold;
use world::{Plan, World};

/// Seeds that found a defect once.
const FOUND: [u64; 6] = [3, 4, 6, 13, 17, 103];

/// Whether everything is asked for.
fn all() -> bool {
    std::env::var("ISTHMUS_TEST_ALL").is_ok_and(|all| all == "1")
}

/// How many seeds are run.
fn seeds(few: u64, many: u64) -> Vec<u64> {
    if let Some(seed) = std::env::var("ISTHMUS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return vec![seed];
    }
    let first = std::env::var("ISTHMUS_TEST_FIRST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let count = if all() { many } else { few };
    FOUND.into_iter().chain((first..first + count).filter(|seed| !FOUND.contains(seed))).collect()
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
    let total = run_all("the_invariants_hold_whatever_fails", &seeds(40, 2000));
    if std::env::var_os("ISTHMUS_TEST_SEED").is_none() {
        assert_eq!(total.missing(), Vec::<&str>::new(), "some things never happened");
    }
}

fn run_all(name: &'static str, seeds: &[u64]) -> Counts {
    let mut total = Counts::default();
    let every_digest = all();
    for seed in seeds {
        let _repeat = Repeat(*seed, name);
        let plan = Plan { seed: *seed, rounds: 6, every_digest };
        let mut world = World::new(plan);
        world.run(plan);
        total.add(&world.counts);
    }
    println!("{} runs: {total:#?}", seeds.len());
    total
}

#[test]
fn any_entries_in_any_order_keep_the_state_whole() {
    let mut total = Counts::default();
    let seeds = seeds(25, 1000);
    for seed in &seeds {
        let _repeat = Repeat(*seed, "any_entries_in_any_order_keep_the_state_whole");
        let mut fold = Fold::new(*seed);
        fold.run(10_000);
        total.add(&fold.counts);
    }
    println!("{} runs: {total:#?}", seeds.len());
    let lacks = [
        ("rounds", total.rounds),
        ("broken rounds", total.broken_rounds),
        ("assignments", total.assignments),
        ("commits", total.commits),
        ("expiries", total.expiries),
        ("timeouts", total.timeouts),
        ("deletions", total.deletes),
        ("snapshots", total.snapshots),
        ("trimmed entries", total.entries_trimmed),
        ("refused entries", total.refused_entries),
    ];
    let lacks: Vec<&str> = lacks.into_iter().filter(|(_, count)| *count == 0).map(|(what, _)| what).collect();
    assert_eq!(lacks, Vec::<&str>::new(), "some things never happened");
}
