// Times the exports of the module given: `node time.mjs MODULE [TEXT]`, only cases whose name contains TEXT.
import { readFileSync } from "node:fs";

const [module, filter = ""] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const { memory, records, name, name_length, send, read } = instance.exports;
const RUN_MS = 3;
const RUNS = 60;

function best(run, number) {
  let times = 1;
  for (let took = 0; took < RUN_MS; times *= 2) {
    const start = performance.now();
    run(number, times);
    took = performance.now() - start;
  }
  let least = Infinity;
  for (let round = 0; round < RUNS; round++) {
    const start = performance.now();
    run(number, times);
    least = Math.min(least, (performance.now() - start) / times);
  }
  return (least * 1e6) / records(number);
}

console.log("case".padEnd(32) + "to Pulsar  to Kafka  (ns/record)");
for (let number = 0; records(number) > 0; number++) {
  const title = new TextDecoder().decode(new Uint8Array(memory.buffer, name(number), name_length(number)));
  if (!title.includes(filter)) continue;
  const columns = [send, read].map((run) => best(run, number).toFixed(1).padStart(9));
  console.log(title.padEnd(32) + columns.join(" "));
}
