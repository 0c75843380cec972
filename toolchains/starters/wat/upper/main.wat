;; Reads text on stdin and prints it in capital letters.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))

  ;; 0: address and length of the vector, 8: the answer, 64: the text
  (memory (export "memory") 1)
  (global $text i32 (i32.const 64))
  (global $text_length i32 (i32.const 32768))

  (func $read (result i32)
    (i32.store (i32.const 0) (global.get $text))
    (i32.store (i32.const 4) (global.get $text_length))
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (return (i32.const 0))))
    (i32.load (i32.const 8)))

  (func $write (param $length i32)
    (i32.store (i32.const 0) (global.get $text))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  ;; Letters from a to z lose the bit that makes them small.
  (func $capitals (param $length i32)
    (local $at i32) (local $letter i32)
    (local.set $at (global.get $text))
    (loop $next
      (local.set $letter (i32.load8_u (local.get $at)))
      (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 26))
        (then (i32.store8 (local.get $at) (i32.and (local.get $letter) (i32.const 0xdf)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.add (global.get $text) (local.get $length))))))

  (func $main (export "_start")
    (local $length i32)
    (loop $next
      (local.set $length (call $read))
      (if (local.get $length)
        (then
          (call $capitals (local.get $length))
          (call $write (local.get $length))
          (br $next))))))
