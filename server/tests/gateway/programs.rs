//! Guests of these tests, in WAT: WASI programs that answer the CGI way.

/// Imports, memory and a function `$say` that writes a string to a descriptor.
const FRAME: &str = r#"
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func $say (param $to i32) (param $at i32) (param $bytes i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $bytes))
    (drop (call $fd_write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $sleep (param $ms i64)
    (i64.store (i32.const 64) (i64.const 0)) (i64.store (i32.const 72) (i64.const 0))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.mul (local.get $ms) (i64.const 1000000)))
    (i64.store (i32.const 96) (i64.const 0)) (i64.store (i32.const 104) (i64.const 0))
    (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 160))))
"#;

/// A program with this data at 1024 and this body of `_start`.
pub fn program(data: &str, start: &str) -> String {
    format!("(module {FRAME} (data (i32.const 1024) \"{data}\") (func (export \"_start\") {start}))")
}

/// Answers with this text.
pub fn greeter(text: &str) -> String {
    let head = "Content-Type: text/plain\\n\\n";
    let bytes = "Content-Type: text/plain\n\n".len() + text.len();
    program(&format!("{head}{text}"), &format!("(call $say (i32.const 1) (i32.const 1024) (i32.const {bytes}))"))
}

/// Answers with so many pieces of 64 KiB.
pub fn flood(pieces: u32) -> String {
    let start = format!(
        "(local $left i32) (local.set $left (i32.const {pieces}))
         (call $say (i32.const 1) (i32.const 1024) (i32.const 26))
         (loop $more
           (call $say (i32.const 1) (i32.const 65536) (i32.const 65536))
           (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    );
    program("Content-Type: text/plain\\n\\n", &start)
}

/// Never ends.
pub fn endless() -> String {
    program("Status: 200\\n\\n", "(loop $again (br $again))")
}

/// Divides by zero in a function called `frond`.
pub fn trapping() -> String {
    let start = "(drop (call $frond (i32.const 1) (i32.const 0)))";
    format!(
        "(module {FRAME} (func $frond (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))) (func (export \"_start\") {start}))"
    )
}

/// Says something on standard error, sleeps, answers.
pub fn sleeper(ms: u32) -> String {
    program(
        "Content-Type: text/plain\\n\\nawakegoing to sleep\\n",
        &format!(
            "(call $say (i32.const 2) (i32.const 1055) (i32.const 15)) (call $sleep (i64.const {ms})) (call $say (i32.const 1) (i32.const 1024) (i32.const 31))"
        ),
    )
}

/// Copies standard input to standard output, counts its arguments on standard error, ends with code 3.
pub fn copier() -> String {
    program(
        "arguments: 0\\n",
        "(drop (call $args_sizes (i32.const 16) (i32.const 20)))
         (i32.store8 (i32.const 1035) (i32.add (i32.const 48) (i32.load (i32.const 16))))
         (call $say (i32.const 2) (i32.const 1024) (i32.const 13))
         (loop $more
           (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 4096))
           (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
           (if (i32.load (i32.const 8)) (then
             (call $say (i32.const 1) (i32.const 4096) (i32.load (i32.const 8)))
             (br $more))))
         (call $exit (i32.const 3))",
    )
}
