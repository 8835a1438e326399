// node juice.mjs < page: print the milliseconds that juice takes for the first time, and their median afterwards.
import { readFileSync } from 'node:fs';
import juice from 'juice';

const page = readFileSync(0).toString();
const times = [];
for (let run = 0; run < 40; run += 1) {
  const began = performance.now();
  juice(page);
  times.push(performance.now() - began);
}
const warm = times.slice(10).sort((a, b) => a - b);
process.stdout.write(JSON.stringify({ cold: times[0], warm: warm[Math.floor(warm.length / 2)] }));
