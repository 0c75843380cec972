(module
  (func $swizzle (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.relaxed_swizzle)
  (func $truncate (param v128) (result v128 v128)
    local.get 0
    i32x4.relaxed_trunc_f32x4_s
    local.get 0
    i32x4.relaxed_trunc_f64x2_s_zero)
  (func $lane_select (param v128 v128 v128) (result v128 v128)
    local.get 0
    local.get 1
    local.get 2
    i32x4.relaxed_laneselect
    local.get 0
    local.get 1
    local.get 2
    i16x8.relaxed_laneselect)
  (func $minimum (param v128 v128) (result v128)
    local.get 0
    local.get 1
    f32x4.relaxed_min)
  (func $multiply_q15 (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i16x8.relaxed_q15mulr_s)
  (func $dot (param v128 v128 v128) (result v128)
    local.get 0
    local.get 1
    local.get 2
    i32x4.relaxed_dot_i8x16_i7x16_add_s))

;; swizzle
;; function u0:0(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0038                               v4 = x86_pshufb v1, v2
;; @003b                               return v4
;; }

;; truncate
;; function u0:1(i64 vmctx, i8x16) -> i8x16, i8x16 tail {
;;     const0 = 0x00000000000000000000000000000000
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @0040                               v4 = bitcast.f32x4 little v1
;; @0040                               v5 = x86_cvtt2dq.i32x4 v4
;; @0045                               v6 = bitcast.f64x2 little v1
;; @0045                               v7 = x86_cvtt2dq.i64x2 v6
;; @0045                               v8 = vconst.i64x2 const0
;; @0045                               v9 = snarrow v7, v8  ; v8 = const0
;; @0048                               v10 = bitcast.i8x16 little v5
;; @0048                               v11 = bitcast.i8x16 little v9
;; @0048                               return v10, v11
;; }

;; lane_select
;; function u0:2(i64 vmctx, i8x16, i8x16, i8x16) -> i8x16, i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16, v3: i8x16):
;; @0051                               v6 = bitcast.i32x4 little v1
;; @0051                               v7 = bitcast.i32x4 little v2
;; @0051                               v8 = bitcast.i32x4 little v3
;; @0051                               v9 = blendv v8, v6, v7
;; @005a                               v10 = bitcast.i16x8 little v1
;; @005a                               v11 = bitcast.i16x8 little v2
;; @005a                               v12 = bitcast.i16x8 little v3
;; @005a                               v13 = bitselect v12, v10, v11
;; @005d                               v14 = bitcast.i8x16 little v9
;; @005d                               v15 = bitcast.i8x16 little v13
;; @005d                               return v14, v15
;; }

;; minimum
;; function u0:3(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0064                               v4 = bitcast.f32x4 little v1
;; @0064                               v5 = bitcast.f32x4 little v2
;; @0064                               v6 = fcmp lt v5, v4
;; @0064                               v7 = bitcast.f32x4 little v6
;; @0064                               v8 = bitselect v7, v5, v4
;; @0067                               v9 = bitcast.i8x16 little v8
;; @0067                               return v9
;; }

;; multiply_q15
;; function u0:4(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @006e                               v4 = bitcast.i16x8 little v1
;; @006e                               v5 = bitcast.i16x8 little v2
;; @006e                               v6 = x86_pmulhrsw v4, v5
;; @0071                               v7 = bitcast.i8x16 little v6
;; @0071                               return v7
;; }

;; dot
;; function u0:5(i64 vmctx, i8x16, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16, v3: i8x16):
;; @007a                               v5 = bitcast.i32x4 little v3
;; @007a                               v6 = x86_pmaddubsw v1, v2
;; @007a                               v7 = swiden_low v6
;; @007a                               v8 = swiden_high v6
;; @007a                               v9 = iadd_pairwise v7, v8
;; @007a                               v10 = iadd v9, v5
;; @007d                               v11 = bitcast.i8x16 little v10
;; @007d                               return v11
;; }
