// How the page writes times, sizes and lives.

/** µs under 0.1 ms, else ms, from a second on s; one decimal, three figures at most. Never rounds to zero. */
export function durationText(microseconds: number): string {
  const [value, unit] =
    microseconds < 100
      ? [microseconds, "µs"]
      : microseconds < 999_500
        ? [microseconds / 1e3, "ms"]
        : [microseconds / 1e6, "s"];
  if (value > 0 && value < 0.05) return `<0.1 ${unit}`;
  return `${value.toFixed(value < 99.95 ? 1 : 0)} ${unit}`;
}

/** Milliseconds for a column that keeps one unit: as many decimals as three figures leave, three at most. */
export function millisecondText(microseconds: number): string {
  const value = microseconds / 1e3;
  const decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.0995 ? 2 : 3;
  return `${value.toFixed(decimals)} ms`;
}

const BYTE_UNITS = ["B", "KB", "MB", "GB"];

/** Bytes in the unit that a person would choose: "38.9 KB". */
export function byteText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit + 1 < BYTE_UNITS.length) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit > 0 && value < 99.95 ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

/** Round numbers of a limit in the unit that a person would choose: "16777216 bytes" is "16 MiB", "5000 ms" is "5 s". */
export function roundText(sentence: string): string {
  return sentence
    .replace(/\b(\d+) bytes\b/g, (text, digits: string) => {
      const bytes = Number(digits);
      if (bytes >= 1 << 20 && bytes % (1 << 20) === 0) return `${bytes / (1 << 20)} MiB`;
      return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : text;
    })
    .replace(/\b(\d+)000 ms\b/g, "$1 s");
}

/** What is left of a life: "1:27:41", "27:41", "0:09"; from two days on "3 days". */
export function countdownText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds >= 2 * 86_400) return `${Math.floor(seconds / 86_400)} days`;
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** "12:06:18.419" in the reader's own time zone. */
export function clockText(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const two = (value: number) => String(value).padStart(2, "0");
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The value below which `share` of the values lie, 0 for none. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
