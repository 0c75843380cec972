(module
  (func $widths (param i64) (result i64)
    (i64.extend_i32_u (i32.wrap_i64 (i64.extend8_s (local.get 0)))))
  (func $trapping (param f64) (result i32)
    (i32.trunc_f64_s (local.get 0)))
  (func $saturating (param f32) (result i64)
    (i64.trunc_sat_f32_u (local.get 0)))
  (func $bits (param f32) (result f64)
    (f64.promote_f32 (f32.reinterpret_i32 (i32.reinterpret_f32 (local.get 0)))))
  (func $back (param i64) (result f32)
    (f32.demote_f64 (f64.convert_i64_u (local.get 0)))))

;; widths
;; function u0:0(i64 vmctx, i64) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0033                               v3 = ireduce.i8 v1
;; @0033                               v4 = sextend.i64 v3
;; @0034                               v5 = ireduce.i32 v4
;; @0035                               v6 = uextend.i64 v5
;; @0036                               return v6
;; }

;; trapping
;; function u0:1(i64 vmctx, f64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: f64):
;; @003b                               v3 = fcvt_to_sint.i32 v1
;; @003c                               return v3
;; }

;; saturating
;; function u0:2(i64 vmctx, f32) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: f32):
;; @0041                               v3 = fcvt_to_uint_sat.i64 v1
;; @0043                               return v3
;; }

;; bits
;; function u0:3(i64 vmctx, f32) -> f64 tail {
;;
;;                                 block0(v0: i64, v1: f32):
;; @0048                               v3 = bitcast.i32 v1
;; @0049                               v4 = bitcast.f32 v3
;; @004a                               v5 = fpromote.f64 v4
;; @004b                               return v5
;; }

;; back
;; function u0:4(i64 vmctx, i64) -> f32 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0050                               v3 = fcvt_from_uint.f64 v1
;; @0051                               v4 = fdemote.f32 v3
;; @0052                               return v4
;; }
