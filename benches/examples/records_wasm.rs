//! The record benchmarks as a wasm module, for `wasm/run`: what native code shows differs in V8.
#![allow(unsafe_code, reason = "exports must not be mangled")]

use std::cell::RefCell;

use isthmus_benches::records::{Case, Translator, cases};

thread_local! {
    static STATE: RefCell<Option<(Vec<Case>, Translator)>> = const { RefCell::new(None) };
}

fn with<T>(number: u32, act: impl FnOnce(&Case, &mut Translator) -> T) -> Option<T> {
    STATE.with_borrow_mut(|state| {
        let (cases, translator) = state.get_or_insert_with(|| (cases(), Translator::default()));
        cases.get(number as usize).map(|case| act(case, translator))
    })
}

/// Records of a case's batch; 0 behind the last.
#[unsafe(no_mangle)]
extern "C" fn records(number: u32) -> u32 {
    with(number, |case, _| case.records as u32).unwrap_or(0)
}

/// Where a case's name stands.
#[unsafe(no_mangle)]
extern "C" fn name(number: u32) -> *const u8 {
    with(number, |case, _| case.name.as_ptr()).unwrap_or(std::ptr::null())
}

/// Bytes of a case's name.
#[unsafe(no_mangle)]
extern "C" fn name_length(number: u32) -> usize {
    with(number, |case, _| case.name.len()).unwrap_or(0)
}

/// Translates to Pulsar so many times.
#[unsafe(no_mangle)]
extern "C" fn send(number: u32, times: u32) -> usize {
    with(number, |case, translator| (0..times).map(|_| translator.send(case)).sum()).unwrap_or(0)
}

/// Translates to Kafka so many times.
#[unsafe(no_mangle)]
extern "C" fn read(number: u32, times: u32) -> usize {
    with(number, |case, translator| (0..times).map(|_| translator.read(case)).sum()).unwrap_or(0)
}

fn main() {}
