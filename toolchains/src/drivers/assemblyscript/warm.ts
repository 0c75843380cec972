// What a worker compiles to be warm: the parts of the library that programs use most, so that the compiler's own code for them is hot.
class Leaf {
  constructor(public x: f64, public y: f64) {}
  length(): f64 { return Math.sqrt(this.x * this.x + this.y * this.y); }
}
const leaves = new Array<Leaf>();
for (let i = 0; i < 3; i++) leaves.push(new Leaf(Math.sin(<f64>i), Math.cos(<f64>i)));
const names = new Map<string, i32>();
const parts = "a=1&b=2".split("&");
for (let i = 0; i < parts.length; i++) names.set(parts[i].substring(0, parts[i].indexOf("=")), <i32>parseInt(parts[i]));
let total: f64 = 0;
for (let i = 0; i < leaves.length; i++) total += leaves[i].length();
process.stdout.write(`${total} ${names.has("a")} ${process.argv.length}\n`);
console.error(process.env.has("QUERY_STRING") ? process.env.get("QUERY_STRING") : process.stdin.readText());
