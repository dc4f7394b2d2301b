//! One kind of request through the worker a number of times: for counting instructions (see `instructions/session`) and allocations.
//!
//! `session list`; `session allocations`; `session produce|fetch CASE TIMES` with the case's number in the list; or
//! `session metadata TOPICS TIMES`.
#![allow(unsafe_code, reason = "counting allocations takes an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use isthmus_benches::session::{Exchange, Meter, TOPICS, Unmeasured, shapes};

/// Exchanges before allocations are counted: buffers have grown to their size.
const WARM_UP: usize = 200;
const COUNTED: usize = 100;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Default)]
struct Allocations {
    begun: usize,
    total: usize,
}

impl Meter for Allocations {
    fn begin(&mut self) {
        self.begun = ALLOCATIONS.get();
    }

    fn end(&mut self) {
        self.total += ALLOCATIONS.get() - self.begun;
    }
}

const REQUESTS: [(&str, fn(isthmus_benches::records::Shape) -> Exchange); 2] =
    [("produce", Exchange::produce), ("fetch", Exchange::fetch)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse::<usize>().ok());
    match arguments.first().map(String::as_str) {
        Some("allocations") => allocations(),
        Some("metadata") => {
            let mut exchange = Exchange::metadata(number(1).unwrap_or(1));
            (0..number(2).unwrap_or(1)).for_each(|_| exchange.run(&mut Unmeasured));
        }
        Some(name) if number(2).is_some() => {
            let open = REQUESTS.iter().find(|(request, _)| *request == name).map(|(_, open)| open);
            if let (Some(open), Some((_, shape)), Some(times)) = (open, number(1).map(|case| shapes()[case]), number(2))
            {
                let mut exchange = open(shape);
                (0..times).for_each(|_| exchange.run(&mut Unmeasured));
            }
        }
        _ => {
            for (case, (name, shape)) in shapes().iter().enumerate() {
                println!("{case}\t{}\t{name}", shape.records);
            }
        }
    }
}

fn allocations() {
    for (request, open) in REQUESTS {
        for (name, shape) in shapes() {
            println!("{request:8} {name:16} {:6.2}", allocations_of(&mut open(shape)));
        }
    }
    for topics in TOPICS {
        let name = format!("{topics} topics");
        println!("metadata {name:16} {:6.2}", allocations_of(&mut Exchange::metadata(topics)));
    }
}

fn allocations_of(exchange: &mut Exchange) -> f64 {
    (0..WARM_UP).for_each(|_| exchange.run(&mut Unmeasured));
    let mut allocations = Allocations::default();
    (0..COUNTED).for_each(|_| exchange.run(&mut allocations));
    allocations.total as f64 / COUNTED as f64
}
