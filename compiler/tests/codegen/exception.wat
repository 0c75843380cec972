(module
  (tag $plain)
  (tag $pair (param i32 f64))
  (func $throws (param i32) (result i32)
    (throw $pair (local.get 0) (f64.const 1)))
  (func $catches (param i32) (result i32)
    (block $pair (result i32 f64)
      (block $plain
        (try_table (result i32) (catch $pair $pair) (catch $plain $plain)
          (call $throws (local.get 0)))
        (return))
      (return (i32.const -1)))
    (drop))
  (func $cleans_up (param i32)
    (local $caught exnref)
    (block $all (result exnref)
      (try_table (catch_all_ref $all)
        (drop (call $throws (local.get 0))))
      (return))
    (local.set $caught)
    (throw_ref (local.get $caught)))
  (func $nested (param i32) (result i32)
    (block $inner (result i32 f64 exnref)
      (try_table (catch_ref $pair $inner)
        (block $outer
          (try_table (catch_all $outer)
            (throw $plain))
          (unreachable))
        (return (i32.const 1)))
      (return (i32.const 2)))
    (drop)
    (drop)))

;; throws
;; function u0:0(i64 vmctx, i32) -> i32 tail {
;;     sig0 = (i64 vmctx, i32, f64) tail
;;     fn0 = colocated u8:1 sig0
;;
;;                                 block0(v0: i64, v1: i32):
;; @003c                               v3 = f64const 0x1.0000000000000p0
;; @0045                               call fn0(v0, v1, v3)  ; v3 = 0x1.0000000000000p0
;; @0045                               trap user1
;; }

;; catches
;; function u0:1(i64 vmctx, i32) -> i32 tail {
;;     sig0 = (i64 vmctx, i32) -> i32 tail
;;     fn0 = colocated u0:0 sig0
;;
;;                                 block0(v0: i64, v1: i32):
;; @004e                               jump block4
;;
;;                                 block5:
;; @004e                               v5 = load.i32 notrap aligned region2 v0-48
;; @004e                               v6 = load.f64 notrap aligned region2 v0-32
;; @004e                               jump block2(v5, v6)
;;
;;                                 block6:
;; @004e                               jump block3
;;
;;                                 block4:
;; @0059                               try_call fn0(v0, v1), sig0, block8(ret0), [ tag2: block5, tag0: block6 ]
;;
;;                                 block8(v8: i32):
;; @005c                               return v8
;;
;;                                 block3:
;; @005e                               v9 = iconst.i32 -1
;; @0060                               return v9  ; v9 = -1
;;
;;                                 block2(v3: i32, v4: f64):
;; @0063                               return v3
;; }

;; cleans_up
;; function u0:2(i64 vmctx, i32) tail {
;;     sig0 = (i64 vmctx, i32) -> i32 tail
;;     sig1 = (i64 vmctx, i64) tail
;;     fn0 = colocated u0:0 sig0
;;     fn1 = colocated u1:2147483656 sig1
;;
;;                                 block0(v0: i64, v1: i32):
;;                                     v2 = iconst.i64 0
;; @006a                               jump block3
;;
;;                                 block4:
;; @006a                               v4 = load.i64 notrap aligned region2 v0-48
;; @006a                               jump block2(v4)
;;
;;                                 block3:
;; @0071                               try_call fn0(v0, v1), sig0, block6(ret0), [ tag4294967295: block4 ]
;;
;;                                 block6(v5: i32):
;; @0075                               return
;;
;;                                 block2(v3: i64):
;; @007b                               trapz v3, user10
;; @007b                               call fn1(v0, v3)
;; @007b                               trap user1
;; }

;; nested
;; function u0:3(i64 vmctx, i32) -> i32 tail {
;;     sig0 = (i64 vmctx) tail
;;     fn0 = colocated u8:0 sig0
;;
;;                                 block0(v0: i64, v1: i32):
;; @0081                               jump block3
;;
;;                                 block4:
;; @0081                               v6 = load.i32 notrap aligned region2 v0-48
;; @0081                               v7 = load.f64 notrap aligned region2 v0-32
;; @0081                               v8 = load.i64 notrap aligned region2 v0-16
;; @0081                               jump block2(v6, v7, v8)
;;
;;                                 block3:
;; @0089                               jump block7
;;
;;                                 block8:
;; @0089                               jump block6
;;
;;                                 block7:
;; @008e                               try_call fn0(v0), sig0, block10, [ tag4294967294: block8 ]
;;
;;                                 block10:
;; @008e                               trap user1
;;
;;                                 block6:
;; @0093                               v9 = iconst.i32 1
;; @0095                               return v9  ; v9 = 1
;;
;;                                 block2(v3: i32, v4: f64, v5: i64):
;; @009d                               return v3
;; }
