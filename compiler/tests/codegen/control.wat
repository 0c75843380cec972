(module
  (func $blocks (param i32) (result i32)
    (block (result i32)
      (br_if 0 (i32.const 1) (local.get 0))
      drop
      (i32.const 2)))
  (func $choose (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2))))
  (func $sum (param $n i32) (result i32) (local $total i32)
    (loop $again
      (local.set $total (i32.add (local.get $total) (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))
    (local.get $total))
  (func $switch (param i32) (result i32)
    (block $two (result i32)
      (block $one (result i32)
        (br_table $one $two $one $two (i32.const 7) (local.get 0)))
      (i32.add (i32.const 1))))
  (func $swap (param i32 i64) (result i64 i32)
    (local.get 1) (local.get 0) (return))
  (func $dead (result i32)
    unreachable
    (block (br 0))
    i32.const 1
    drop))

;; blocks
;; function u0:0(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @002b                               v4 = iconst.i32 1
;; @002f                               brif v1, block2(v4), block3  ; v4 = 1
;;
;;                                 block3:
;; @0032                               v5 = iconst.i32 2
;; @0034                               jump block2(v5)  ; v5 = 2
;;
;;                                 block2(v3: i32):
;; @0035                               return v3
;; }

;; choose
;; function u0:1(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @003a                               brif v1, block2, block3
;;
;;                                 block2:
;; @003c                               v4 = iconst.i32 1
;; @003e                               jump block4(v4)  ; v4 = 1
;;
;;                                 block3:
;; @003f                               v5 = iconst.i32 2
;; @0041                               jump block4(v5)  ; v5 = 2
;;
;;                                 block4(v3: i32):
;; @0042                               return v3
;; }

;; sum
;; function u0:2(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;;                                     v3 = iconst.i32 0
;; @0047                               jump block2(v3, v1)  ; v3 = 0
;;
;;                                 block2(v4: i32, v5: i32):
;; @004d                               v6 = iadd v4, v5
;; @0052                               v7 = iconst.i32 1
;; @0054                               v8 = isub v5, v7  ; v7 = 1
;; @0059                               brif v8, block2(v6, v8), block4
;;
;;                                 block4:
;; @005e                               return v6
;; }

;; switch
;; function u0:3(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0065                               v5 = iconst.i32 7
;; @0069                               br_table v1, block5, [block4, block5, block4]
;;
;;                                 block4:
;; @0069                               jump block3(v5)  ; v5 = 7
;;
;;                                 block5:
;; @0069                               jump block2(v5)  ; v5 = 7
;;
;;                                 block3(v4: i32):
;; @0070                               v6 = iconst.i32 1
;; @0072                               v7 = iadd v4, v6  ; v6 = 1
;; @0073                               jump block2(v7)
;;
;;                                 block2(v3: i32):
;; @0074                               return v3
;; }

;; swap
;; function u0:4(i64 vmctx, i32, i64) -> i64, i32 tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @007b                               return v2, v1
;; }

;; dead
;; function u0:5(i64 vmctx) -> i32 tail {
;;
;;                                 block0(v0: i64):
;; @007f                               trap user1
;; }
