(module
  (func $saturate (param v128) (result v128)
    local.get 0
    i32x4.trunc_sat_f32x4_u)
  (func $saturate_wide (param v128) (result v128)
    local.get 0
    i32x4.trunc_sat_f64x2_s_zero)
  (func $convert (param v128) (result v128)
    local.get 0
    f32x4.convert_i32x4_u)
  (func $convert_low (param v128) (result v128)
    local.get 0
    f64x2.convert_low_i32x4_u)
  (func $demote (param v128) (result v128)
    local.get 0
    f32x4.demote_f64x2_zero
    f64x2.promote_low_f32x4)
  (func $narrow (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.narrow_i16x8_u)
  (func $extend (param v128) (result v128)
    local.get 0
    i32x4.extend_high_i16x8_s))

;; saturate
;; function u0:0(i64 vmctx, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @0027                               v3 = bitcast.f32x4 little v1
;; @0027                               v4 = fcvt_to_uint_sat.i32x4 v3
;; @002a                               v5 = bitcast.i8x16 little v4
;; @002a                               return v5
;; }

;; saturate_wide
;; function u0:1(i64 vmctx, i8x16) -> i8x16 tail {
;;     const0 = 0x00000000000000000000000000000000
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @002f                               v3 = bitcast.f64x2 little v1
;; @002f                               v4 = vconst.i64x2 const0
;; @002f                               v5 = fcvt_to_sint_sat.i64x2 v3
;; @002f                               v6 = snarrow v5, v4  ; v4 = const0
;; @0032                               v7 = bitcast.i8x16 little v6
;; @0032                               return v7
;; }

;; convert
;; function u0:2(i64 vmctx, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @0037                               v3 = bitcast.i32x4 little v1
;; @0037                               v4 = fcvt_from_uint.f32x4 v3
;; @003a                               v5 = bitcast.i8x16 little v4
;; @003a                               return v5
;; }

;; convert_low
;; function u0:3(i64 vmctx, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @003f                               v3 = bitcast.i32x4 little v1
;; @003f                               v4 = uwiden_low v3
;; @003f                               v5 = fcvt_from_uint.f64x2 v4
;; @0042                               v6 = bitcast.i8x16 little v5
;; @0042                               return v6
;; }

;; demote
;; function u0:4(i64 vmctx, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @0047                               v3 = bitcast.f64x2 little v1
;; @0047                               v4 = fvdemote v3
;; @0049                               v5 = fvpromote_low v4
;; @004b                               v6 = bitcast.i8x16 little v5
;; @004b                               return v6
;; }

;; narrow
;; function u0:5(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0052                               v4 = bitcast.i16x8 little v1
;; @0052                               v5 = bitcast.i16x8 little v2
;; @0052                               v6 = unarrow v4, v5
;; @0054                               return v6
;; }

;; extend
;; function u0:6(i64 vmctx, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @0059                               v3 = bitcast.i16x8 little v1
;; @0059                               v4 = swiden_high v3
;; @005c                               v5 = bitcast.i8x16 little v4
;; @005c                               return v5
;; }
