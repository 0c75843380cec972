// Reads numbers on stdin, one or more a line, and draws how they are spread. An argument says how many bars.

const BAR_WIDTH = 50;

function numbers(text: string): f64[] {
  const found: f64[] = [];
  const words = text.replaceAll("\n", " ").replaceAll(",", " ").split(" ");
  for (let i = 0; i < words.length; i++) {
    const value = parseFloat(words[i]);
    if (isFinite(value)) found.push(value);
  }
  return found;
}

// Without input, the sums of six dice.
function dice(): f64[] {
  const sums: f64[] = [];
  for (let i = 0; i < 2000; i++) {
    let sum = 0.0;
    for (let die = 0; die < 6; die++) sum += Math.floor(Math.random() * 6) + 1;
    sums.push(sum);
  }
  return sums;
}

let values = numbers(process.stdin.readText());
if (values.length == 0) {
  console.error("no numbers on stdin: here are 2000 throws of six dice");
  values = dice();
}

const wanted = process.argv.length > 1 ? <i32>parseInt(process.argv[1]) : 12;
const bars = <i32>Math.max(1, Math.min(100, <f64>wanted));
let least = values[0], most = values[0], sum = 0.0;
for (let i = 0; i < values.length; i++) {
  least = Math.min(least, values[i]);
  most = Math.max(most, values[i]);
  sum += values[i];
}

const counts = new StaticArray<i32>(bars);
const width = most > least ? (most - least) / bars : 1;
for (let i = 0; i < values.length; i++) counts[<i32>Math.min(bars - 1, Math.floor((values[i] - least) / width))]++;

let highest = 1;
for (let bar = 0; bar < bars; bar++) if (counts[bar] > highest) highest = counts[bar];
for (let bar = 0; bar < bars; bar++) {
  const from = Math.round((least + width * bar) * 100) / 100;
  console.log(from.toString().padStart(10) + " " + "#".repeat(counts[bar] * BAR_WIDTH / highest) + " " + counts[bar].toString());
}
console.log(values.length.toString() + " numbers, mean " + (Math.round((sum / values.length) * 1000) / 1000).toString());
