// A program in AssemblyScript that imports what it calls by itself.
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_prestat_get")
declare function fd_prestat_get(fd: u32, prestat: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(fd: u32, lookup: u32, path: usize, len: u32, oflags: u32, base: u64, inheriting: u64, flags: u32, opened: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, parts: usize, count: u32, written: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(fd: u32): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_unlink_file")
declare function path_unlink_file(fd: u32, path: usize, len: u32): u32;

const cells = memory.data(64);

/** The folder that was given as a path of four bytes: `/tmp`. */
function folder(): u32 {
  for (let fd: u32 = 3; fd_prestat_get(fd, cells) == 0; fd++) {
    if (load<u32>(cells, 4) == 4) return fd;
  }
  return 0;
}

const fd = folder();
const path = String.UTF8.encode("script");
const name = changetype<usize>(path);
assert(path_open(fd, 0, name, 6, 1, 1 << 6, 0, 0, cells) == 0, "the file opens");
const file = load<u32>(cells);
store<u32>(cells, name, 8);
store<u32>(cells, 6, 12);
assert(fd_write(file, cells + 8, 1, cells) == 0 && load<u32>(cells) == 6, "it is written to");
assert(fd_write(file, cells + 8, 1, 0xffffffff) == 21, "a bad address is told");
assert(fd_close(file) == 0 && fd_close(file) == 8, "it is closed once");
assert(path_unlink_file(fd, name, 6) == 0, "it is removed");
