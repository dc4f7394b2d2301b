//! Time of one request through the worker: `cargo bench -p isthmus-benches --bench session`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isthmus_benches::session::{Exchange, Stopwatch, TOPICS, shapes};

fn exchanges(criterion: &mut Criterion) {
    for (request, open) in [("produce", Exchange::produce as fn(_) -> _), ("fetch", Exchange::fetch)] {
        let mut group = criterion.benchmark_group(format!("session, {request}"));
        for (name, shape) in shapes() {
            let mut exchange = open(shape);
            group.throughput(Throughput::Elements(exchange.records() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|times| {
                    let mut stopwatch = Stopwatch::default();
                    (0..times).for_each(|_| exchange.run(&mut stopwatch));
                    stopwatch.total
                });
            });
        }
        group.finish();
    }
}

fn metadata(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session, metadata");
    for topics in TOPICS {
        let mut exchange = Exchange::metadata(topics);
        group.throughput(Throughput::Elements(topics as u64));
        group.bench_function(format!("{topics} topics"), |bencher| {
            bencher.iter_custom(|times| {
                let mut stopwatch = Stopwatch::default();
                (0..times).for_each(|_| exchange.run(&mut stopwatch));
                stopwatch.total
            });
        });
    }
    group.finish();
}

criterion_group!(benches, exchanges, metadata);
criterion_main!(benches);
