;; Paints a plasma as an image, a new instance for every visitor, with nothing but WebAssembly.
;; ?7 chooses the moment of it: the query is one number.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))

  ;; 0: vector and answer   64: texts   4096: image   160000: pointers of the environment   176384: its bytes
  (memory (export "memory") 4)
  (global $width i32 (i32.const 240))
  (global $height i32 (i32.const 160))
  (global $pixels i32 (i32.const 4150))
  (global $names i32 (i32.const 160000))
  (global $names_end i32 (i32.const 176384))

  (data (i32.const 64) "Content-Type: image/bmp\r\n\r\n")
  (data (i32.const 128) "painted 38400 pixels\n")
  (data (i32.const 160) "QUERY_STRING=")
  ;; The format BMP: size, where the pixels begin, width, height, planes, bits for each.
  (data (i32.const 4096) "BM\36\c2\01\00\00\00\00\00\36\00\00\00\28\00\00\00\f0\00\00\00\a0\00\00\00\01\00\18\00")

  (func $write (param $stream i32) (param $bytes i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $bytes))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8))))

  ;; Whether the text at $bytes begins with "QUERY_STRING=".
  (func $is_query (param $bytes i32) (result i32)
    (local $i i32)
    (loop $next
      (if (i32.ne (i32.load8_u (i32.add (local.get $bytes) (local.get $i)))
                  (i32.load8_u offset=160 (local.get $i)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 13))))
    (i32.const 1))

  (func $number (param $bytes i32) (result i32)
    (local $digit i32) (local $value i32)
    (loop $next
      (local.set $digit (i32.sub (i32.load8_u (local.get $bytes)) (i32.const 48)))
      (if (i32.lt_u (local.get $digit) (i32.const 10))
        (then
          (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10)) (local.get $digit)))
          (local.set $bytes (i32.add (local.get $bytes) (i32.const 1)))
          (br $next))))
    (local.get $value))

  ;; The number in the query string; 7 without one, or with an environment too large for its place.
  (func $moment (result i32)
    (local $name i32) (local $end i32)
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (if (i32.or (i32.gt_u (i32.load (i32.const 16)) (i32.const 4096))
                (i32.gt_u (i32.load (i32.const 20)) (i32.const 65536)))
      (then (return (i32.const 7))))
    (drop (call $environ_get (global.get $names) (global.get $names_end)))
    (local.set $name (global.get $names))
    (local.set $end (i32.add (global.get $names) (i32.shl (i32.load (i32.const 16)) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $name) (local.get $end)))
        (if (call $is_query (i32.load (local.get $name)))
          (then (return (call $number (i32.add (i32.load (local.get $name)) (i32.const 13))))))
        (local.set $name (i32.add (local.get $name) (i32.const 4)))
        (br $next)))
    (i32.const 7))

  ;; A smooth wave of period 1, between 0 and 1.
  (func $wave (param $x f32) (result f32)
    (local.set $x (f32.sub (local.get $x) (f32.floor (local.get $x))))
    (f32.mul (f32.const 4) (f32.mul (local.get $x) (f32.sub (f32.const 1) (local.get $x)))))

  (func $paint (param $at i32) (param $light f32)
    (i32.store8 (local.get $at) (i32.trunc_sat_f32_u (f32.mul (local.get $light) (f32.const 255)))))

  (func $pixel (param $column i32) (param $row i32) (param $time f32)
    (local $x f32) (local $y f32) (local $at i32) (local $glow f32)
    (local.set $x (f32.div (f32.convert_i32_u (local.get $column)) (f32.const 160)))
    (local.set $y (f32.div (f32.convert_i32_u (local.get $row)) (f32.const 160)))
    (local.set $at (i32.add (global.get $pixels)
      (i32.mul (i32.add (i32.mul (local.get $row) (global.get $width)) (local.get $column)) (i32.const 3))))
    (local.set $glow (f32.sqrt (f32.add
      (f32.mul (f32.sub (local.get $x) (f32.const 0.7)) (f32.sub (local.get $x) (f32.const 0.7)))
      (f32.mul (f32.sub (local.get $y) (call $wave (local.get $time)))
               (f32.sub (local.get $y) (call $wave (local.get $time)))))))
    (local.set $glow (f32.add (call $wave (f32.add (local.get $glow) (local.get $time)))
      (call $wave (f32.add (f32.mul (local.get $x) (f32.const 0.8)) (local.get $y)))))
    (call $paint (local.get $at) (f32.mul (f32.const 0.45) (call $wave (f32.mul (local.get $glow) (f32.const 0.6)))))
    (call $paint (i32.add (local.get $at) (i32.const 1)) (call $wave (f32.mul (local.get $glow) (f32.const 0.45))))
    (call $paint (i32.add (local.get $at) (i32.const 2))
      (f32.mul (f32.const 0.8) (call $wave (f32.add (f32.mul (local.get $glow) (f32.const 0.5)) (local.get $y))))))

  (func $image (param $time f32)
    (local $column i32) (local $row i32)
    (loop $rows
      (local.set $column (i32.const 0))
      (loop $columns
        (call $pixel (local.get $column) (local.get $row) (local.get $time))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $column) (global.get $width))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $row) (global.get $height)))))

  (func $main (export "_start")
    (call $image (f32.div (f32.convert_i32_u (call $moment)) (f32.const 24)))
    (call $write (i32.const 1) (i32.const 64) (i32.const 27))
    (call $write (i32.const 1) (i32.const 4096) (i32.const 115254))
    (call $write (i32.const 2) (i32.const 128) (i32.const 21))))
