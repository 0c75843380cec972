// The calls of WASI preview 1 that this SDK uses, as the host imports them. Pointers are addresses in this program's memory.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "args_get")
export declare function wasi_args_get(pointers: usize, bytes: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "args_sizes_get")
export declare function wasi_args_sizes_get(count: usize, byteLength: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_get")
export declare function wasi_environ_get(pointers: usize, bytes: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_sizes_get")
export declare function wasi_environ_sizes_get(count: usize, byteLength: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
export declare function wasi_fd_read(fd: u32, vectors: usize, count: usize, read: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
export declare function wasi_fd_write(fd: u32, vectors: usize, count: usize, written: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "clock_time_get")
export declare function wasi_clock_time_get(clock: u32, precision: u64, time: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
export declare function wasi_random_get(bytes: usize, byteLength: usize): u32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
export declare function wasi_proc_exit(code: u32): void;
