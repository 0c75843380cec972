// What differs between two texts, line by line: Myers' shortest edit script, given up beyond a bound, where both are shown whole.

export interface DiffLine {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Edits that are looked for; texts that differ more are told one after the other. */
const EDITS_MAX = 1000;

export function diffOf(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const middle = edits(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: "same", text }));
  return [...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))];
}

function edits(a: string[], b: string[]): DiffLine[] {
  const trace = forward(a, b);
  if (trace === null) {
    const removed: DiffLine[] = a.map((text) => ({ kind: "removed", text }));
    return [...removed, ...b.map((text): DiffLine => ({ kind: "added", text }))];
  }
  return backward(a, b, trace);
}

/** The furthest points of each number of edits, by diagonal; `null` where there would be too many. */
function forward(a: string[], b: string[]): Map<number, number>[] | null {
  const trace: Map<number, number>[] = [];
  let furthest = new Map([[1, 0]]);
  for (let count = 0; count <= Math.min(a.length + b.length, EDITS_MAX); count += 1) {
    trace.push(new Map(furthest));
    for (let diagonal = -count; diagonal <= count; diagonal += 2) {
      let x = isDown(furthest, diagonal, count)
        ? (furthest.get(diagonal + 1) ?? 0)
        : (furthest.get(diagonal - 1) ?? 0) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x += 1;
      furthest.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return trace;
    }
    furthest = new Map(furthest);
  }
  return null;
}

function isDown(furthest: Map<number, number>, diagonal: number, count: number): boolean {
  const [left, right] = [furthest.get(diagonal - 1) ?? -1, furthest.get(diagonal + 1) ?? -1];
  return diagonal === -count || (diagonal !== count && left < right);
}

function backward(a: string[], b: string[], trace: Map<number, number>[]): DiffLine[] {
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let count = trace.length - 1; count >= 0; count -= 1) {
    const furthest = trace[count] ?? new Map<number, number>();
    const diagonal = x - y;
    const down = isDown(furthest, diagonal, count);
    const from = down ? diagonal + 1 : diagonal - 1;
    const startX = furthest.get(from) ?? 0;
    const startY = startX - from;
    while (x > startX && y > startY && x > 0 && y > 0 && a[x - 1] === b[y - 1]) {
      x -= 1;
      y -= 1;
      lines.push({ kind: "same", text: a[x] ?? "" });
    }
    if (count === 0) break;
    if (down) {
      y -= 1;
      lines.push({ kind: "added", text: b[y] ?? "" });
    } else {
      x -= 1;
      lines.push({ kind: "removed", text: a[x] ?? "" });
    }
  }
  return lines.reverse();
}

/** The same lines beyond so many around a change are left out; their place is `null`. */
export function around(lines: DiffLine[], context: number): (DiffLine | null)[] {
  const isNear = (index: number) =>
    lines.slice(Math.max(0, index - context), index + context + 1).some(({ kind }) => kind !== "same");
  const shown = lines.map((line, index) => (isNear(index) ? line : null));
  return shown.filter((line, index) => line !== null || shown[index - 1] !== null || index === 0);
}
