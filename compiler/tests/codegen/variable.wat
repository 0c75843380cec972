(module
  (global $mutable (mut i32) (i32.const 5))
  (global $fixed f64 (f64.const 2.5))
  (global $reference (mut funcref) (ref.null func))
  (func $locals (param i32) (result i64) (local i64 f32)
    (local.set 1 (i64.extend_i32_s (local.tee 0 (i32.const 3))))
    (local.get 1))
  (func $globals (result f64)
    (global.set $mutable (i32.add (global.get $mutable) (i32.const 1)))
    (global.set $reference (ref.null func))
    (global.get $fixed)))

;; locals
;; function u0:0(i64 vmctx, i32) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;;                                     v3 = iconst.i64 0
;;                                     v4 = f32const 0.0
;; @003b                               v5 = iconst.i32 3
;; @003f                               v6 = sextend.i64 v5  ; v5 = 3
;; @0044                               return v6
;; }

;; globals
;; function u0:1(i64 vmctx) -> f64 tail {
;;
;;                                 block0(v0: i64):
;; @0047                               v2 = load.i32 notrap aligned region3 v0-48
;; @0049                               v3 = iconst.i32 1
;; @004b                               v4 = iadd v2, v3  ; v3 = 1
;; @004c                               store notrap aligned region3 v4, v0-48
;; @004e                               v5 = iconst.i64 0
;; @0050                               store notrap aligned region3 v5, v0-16  ; v5 = 0
;; @0052                               v6 = f64const 0x1.4000000000000p1
;; @0054                               return v6  ; v6 = 0x1.4000000000000p1
;; }
