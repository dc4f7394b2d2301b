//! Inputs that the fuzzer started from, and those it once failed on, go through its targets again.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unreachable_pub, reason = "the targets are modules of the fuzz crate")]

use std::path::Path;

#[path = "../../fuzz/src/kafka_frame.rs"]
mod kafka_frame;
#[path = "../../fuzz/src/pulsar_frame.rs"]
mod pulsar_frame;

fn replay(target: &str, run: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut replayed = 0;
    for folder in ["seeds", "findings"] {
        let Ok(inputs) = fuzz.join(folder).join(target).read_dir() else { continue };
        for input in inputs {
            run(&std::fs::read(input.unwrap().path()).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "no inputs in {} for {target}", fuzz.display());
}

#[test]
fn kafka_frames_do_not_fail() {
    replay("kafka_frame", kafka_frame::run);
}

#[test]
fn pulsar_frames_do_not_fail() {
    replay("pulsar_frame", pulsar_frame::run);
}
