// `console`: log, info and debug on stdout; warn, error, assert and the timers on stderr, as elsewhere.
import { wasi_write_text } from "./wasi_io";
import { wasi_process } from "./wasi_process";

// @ts-ignore: decorator
@lazy const timers = new Map<string, u64>();

function line(fd: u32, message: string): void {
  wasi_write_text(fd, message);
  wasi_write_text(fd, "\n");
}

function elapsed(label: string): void {
  if (!timers.has(label)) return line(2, "no timer has the label " + label);
  line(2, label + ": " + (<f64>(wasi_process.hrtime() - timers.get(label)) / 1e6).toString() + " ms");
}

export namespace wasi_console {
  export function assert<T>(condition: T, message: string = ""): void {
    if (!condition) line(2, "assertion failed: " + message);
  }

  export function log(message: string = ""): void {
    line(1, message);
  }

  export function info(message: string = ""): void {
    line(1, message);
  }

  export function debug(message: string = ""): void {
    line(1, message);
  }

  export function warn(message: string = ""): void {
    line(2, message);
  }

  export function error(message: string = ""): void {
    line(2, message);
  }

  export function time(label: string = "default"): void {
    timers.set(label, wasi_process.hrtime());
  }

  export function timeLog(label: string = "default"): void {
    elapsed(label);
  }

  export function timeEnd(label: string = "default"): void {
    elapsed(label);
    timers.delete(label);
  }
}
