// Reading and writing whole buffers, and the text in between. Nothing here allocates but where it says so: `abort` uses it when memory
// has run out.
import { wasi_fd_read, wasi_fd_write } from "./wasi_preview1";

// One vector (address and length) and the word that calls answer in.
// @ts-ignore: decorator
@lazy const vector = memory.data(16);
// @ts-ignore: decorator
@lazy const chunk = memory.data(256);

// Writes all of it; a stream that is closed or full loses the rest.
export function wasi_write_bytes(fd: u32, bytes: usize, byteLength: usize): void {
  while (byteLength > 0) {
    store<usize>(vector, bytes);
    store<usize>(vector, byteLength, sizeof<usize>());
    if (wasi_fd_write(fd, vector, 1, vector + 8) != 0) return;
    const written = load<usize>(vector, 8);
    if (written == 0) return;
    bytes += written;
    byteLength -= written;
  }
}

// Writes text as UTF-8 by chunks, which never part the two halves of a character.
export function wasi_write_text(fd: u32, text: string): void {
  const units = text.length;
  let start = 0;
  while (start < units) {
    let end = min(start + 64, units);
    if (end < units && (<u32>text.charCodeAt(end - 1) & 0xfc00) == 0xd800) end--;
    const from = changetype<usize>(text) + (<usize>start << 1);
    wasi_write_bytes(fd, chunk, String.UTF8.encodeUnsafe(from, end - start, chunk));
    start = end;
  }
}

// Writes a number without allocating.
export function wasi_write_number(fd: u32, value: u32): void {
  let at = chunk + 16;
  do {
    store<u8>(--at, <u8>(48 + value % 10));
    value /= 10;
  } while (value != 0);
  wasi_write_bytes(fd, at, chunk + 16 - at);
}

// Reads at most that much; 0 is the end.
export function wasi_read_bytes(fd: u32, bytes: usize, byteLength: usize): usize {
  store<usize>(vector, bytes);
  store<usize>(vector, byteLength, sizeof<usize>());
  if (wasi_fd_read(fd, vector, 1, vector + 8) != 0) return 0;
  return load<usize>(vector, 8);
}
