// The other globals that a program expects: what happens on abort, and sources of time and chance.
import { Date } from "date";
import { wasi_clock_time_get, wasi_random_get } from "./wasi_preview1";
import { wasi_write_number, wasi_write_text } from "./wasi_io";
import { wasi_process } from "./wasi_process";

// @ts-ignore: decorator
@lazy const word = memory.data(8);

// Says what happened on stderr, then traps: the trap names the function, and the visitor sees a failure, not an exit code.
export function wasi_abort(message: string | null = null, file: string | null = null, line: u32 = 0, column: u32 = 0): void {
  wasi_write_text(2, "abort: ");
  wasi_write_text(2, message != null ? message : "no message");
  if (file != null) {
    wasi_write_text(2, " in ");
    wasi_write_text(2, file);
    wasi_write_text(2, ":");
    wasi_write_number(2, line);
    wasi_write_text(2, ":");
    wasi_write_number(2, column);
  }
  wasi_write_text(2, "\n");
  unreachable();
}

export function wasi_trace(message: string, n: i32 = 0, a0: f64 = 0, a1: f64 = 0, a2: f64 = 0, a3: f64 = 0, a4: f64 = 0): void {
  let text = "trace: " + message;
  if (n > 0) text += " " + a0.toString();
  if (n > 1) text += " " + a1.toString();
  if (n > 2) text += " " + a2.toString();
  if (n > 3) text += " " + a3.toString();
  if (n > 4) text += " " + a4.toString();
  wasi_write_text(2, text + "\n");
}

export function wasi_seed(): f64 {
  wasi_random_get(word, 8);
  // Never zero: a generator seeded with it would stay there.
  return reinterpret<f64>(load<u64>(word) | 1);
}

export class wasi_Date extends Date {
  static now(): i64 {
    return wasi_process.time();
  }
}

export namespace wasi_performance {
  // Milliseconds, with fractions.
  export function now(): f64 {
    return wasi_clock_time_get(1, 1, word) == 0 ? <f64>load<u64>(word) / 1e6 : 0;
  }
}

export namespace wasi_crypto {
  export function getRandomValues(array: Uint8Array): void {
    wasi_random_get(array.dataStart, array.byteLength);
  }
}
