(module
  (func $constants (result i32 i64 f32 f64)
    i32.const -1 i64.const -1 f32.const 1.5 f64.const -0.0)
  (func $divide (param i32 i32) (result i32)
    (i32.rem_s (i32.div_s (local.get 0) (local.get 1)) (i32.div_u (local.get 1) (local.get 0))))
  (func $compare (param i64 i64) (result i32)
    (i64.lt_u (local.get 0) (local.get 1)))
  (func $zero (param i64) (result i32)
    (i64.eqz (local.get 0)))
  (func $floats (param f64 f64) (result f64)
    (f64.min (f64.nearest (local.get 0)) (f64.copysign (local.get 0) (local.get 1))))
  (func $bits (param i32) (result i32)
    (i32.rotl (i32.popcnt (local.get 0)) (i32.ctz (local.get 0)))))

;; constants
;; function u0:0(i64 vmctx) -> i32, i64, f32, f64 tail {
;;
;;                                 block0(v0: i64):
;; @003c                               v5 = iconst.i32 -1
;; @003e                               v6 = iconst.i64 -1
;; @0040                               v7 = f32const 0x1.800000p0
;; @0045                               v8 = f64const -0.0
;; @004e                               return v5, v6, v7, v8  ; v5 = -1, v6 = -1, v7 = 0x1.800000p0, v8 = -0.0
;; }

;; divide
;; function u0:1(i64 vmctx, i32, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i32):
;; @0055                               v4 = sdiv v1, v2
;; @005a                               v5 = udiv v2, v1
;; @005b                               v6 = srem v4, v5
;; @005c                               return v6
;; }

;; compare
;; function u0:2(i64 vmctx, i64, i64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64, v2: i64):
;; @0063                               v4 = icmp ult v1, v2
;; @0063                               v5 = uextend.i32 v4
;; @0064                               return v5
;; }

;; zero
;; function u0:3(i64 vmctx, i64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0069                               v3 = iconst.i64 0
;; @0069                               v4 = icmp eq v1, v3  ; v3 = 0
;; @0069                               v5 = uextend.i32 v4
;; @006a                               return v5
;; }

;; floats
;; function u0:4(i64 vmctx, f64, f64) -> f64 tail {
;;
;;                                 block0(v0: i64, v1: f64, v2: f64):
;; @006f                               v4 = nearest v1
;; @0074                               v5 = fcopysign v1, v2
;; @0075                               v6 = fmin v4, v5
;; @0076                               return v6
;; }

;; bits
;; function u0:5(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @007b                               v3 = popcnt v1
;; @007e                               v4 = ctz v1
;; @007f                               v5 = rotl v3, v4
;; @0080                               return v5
;; }
