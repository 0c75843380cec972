// `process`: arguments, environment, the three streams, exit.
import {
  wasi_args_get,
  wasi_args_sizes_get,
  wasi_clock_time_get,
  wasi_environ_get,
  wasi_environ_sizes_get,
  wasi_proc_exit,
} from "./wasi_preview1";
import { wasi_read_bytes, wasi_write_bytes, wasi_write_text } from "./wasi_io";

// @ts-ignore: decorator
@lazy const sizes = memory.data(16);

export namespace wasi_process {
  // @ts-ignore: decorator
  @lazy export const arch = "wasm32";
  // @ts-ignore: decorator
  @lazy export const platform = "wasm";
  // @ts-ignore: decorator
  @lazy export const argv: string[] = readArguments();
  // @ts-ignore: decorator
  @lazy export const env: Map<string, string> = readEnvironment();
  // @ts-ignore: decorator
  @lazy export const stdin = changetype<wasi_ReadableStream>(0);
  // @ts-ignore: decorator
  @lazy export const stdout = changetype<wasi_WritableStream>(1);
  // @ts-ignore: decorator
  @lazy export const stderr = changetype<wasi_WritableStream>(2);
  // @ts-ignore: decorator
  @lazy export let exitCode: i32 = 0;

  export function exit(code: i32 = exitCode): void {
    wasi_proc_exit(code);
  }

  // Milliseconds since 1970.
  export function time(): i64 {
    return wasi_clock_time_get(0, 1000000, sizes) == 0 ? load<i64>(sizes) / 1000000 : 0;
  }

  // Nanoseconds of a clock that never turns back.
  export function hrtime(): u64 {
    return wasi_clock_time_get(1, 1, sizes) == 0 ? load<u64>(sizes) : 0;
  }
}

@unmanaged
export abstract class wasi_WritableStream {
  write<T>(data: T): void {
    const fd = <u32>changetype<usize>(this);
    if (isString<T>()) {
      wasi_write_text(fd, changetype<string>(data));
    } else if (data instanceof ArrayBuffer) {
      wasi_write_bytes(fd, changetype<usize>(data), data.byteLength);
    } else if (data instanceof Uint8Array) {
      wasi_write_bytes(fd, data.dataStart, data.byteLength);
    } else {
      ERROR("a string, an ArrayBuffer or a Uint8Array is expected");
    }
  }
}

@unmanaged
export abstract class wasi_ReadableStream {
  // Fills the buffer from `offset` with what is there; 0 is the end.
  read(buffer: ArrayBuffer, offset: isize = 0): i32 {
    const end = <isize>buffer.byteLength;
    if (offset < 0 || offset > end) throw new RangeError("the offset lies outside of the buffer");
    return <i32>wasi_read_bytes(<u32>changetype<usize>(this), changetype<usize>(buffer) + offset, end - offset);
  }

  // Everything up to the end.
  readAll(): Uint8Array {
    let buffer = new ArrayBuffer(4096);
    let length = 0;
    let count = this.read(buffer, length);
    while (count > 0) {
      length += count;
      if (length == buffer.byteLength) {
        const larger = new ArrayBuffer(length * 2);
        memory.copy(changetype<usize>(larger), changetype<usize>(buffer), length);
        buffer = larger;
      }
      count = this.read(buffer, length);
    }
    return Uint8Array.wrap(buffer, 0, length);
  }

  // Everything up to the end, as text.
  readText(): string {
    const bytes = this.readAll();
    return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.byteLength);
  }
}

function readArguments(): string[] {
  const found = new Array<string>();
  if (wasi_args_sizes_get(sizes, sizes + 8) != 0) return found;
  const count = load<u32>(sizes);
  const pointers = heap.alloc(count * 4 + load<u32>(sizes, 8));
  if (wasi_args_get(pointers, pointers + count * 4) == 0) {
    for (let i: u32 = 0; i < count; i++) found.push(textAt(load<u32>(pointers + i * 4)));
  }
  heap.free(pointers);
  return found;
}

function readEnvironment(): Map<string, string> {
  const found = new Map<string, string>();
  if (wasi_environ_sizes_get(sizes, sizes + 8) != 0) return found;
  const count = load<u32>(sizes);
  const pointers = heap.alloc(count * 4 + load<u32>(sizes, 8));
  if (wasi_environ_get(pointers, pointers + count * 4) == 0) {
    for (let i: u32 = 0; i < count; i++) {
      const entry = textAt(load<u32>(pointers + i * 4));
      const middle = entry.indexOf("=");
      if (middle > 0) found.set(entry.substring(0, middle), entry.substring(middle + 1));
    }
  }
  heap.free(pointers);
  return found;
}

// The text that ends with a zero byte.
function textAt(bytes: usize): string {
  let end = bytes;
  while (load<u8>(end) != 0) end++;
  return String.UTF8.decodeUnsafe(bytes, end - bytes);
}
