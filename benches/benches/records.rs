//! Time per record of translating a batch: `cargo bench -p isthmus-benches --bench records`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isthmus_benches::records::{Translator, cases};

fn translate(criterion: &mut Criterion) {
    let mut translator = Translator::default();
    for (direction, run) in
        [("kafka to pulsar", Translator::send as fn(&mut _, &_) -> _), ("pulsar to kafka", Translator::read)]
    {
        let mut group = criterion.benchmark_group(direction);
        for case in cases() {
            group.throughput(Throughput::Elements(case.records as u64));
            group.bench_function(&case.name, |bencher| bencher.iter(|| run(&mut translator, &case)));
        }
        group.finish();
    }
}

criterion_group!(benches, translate);
criterion_main!(benches);
