(module
  (func $shift (param v128 i32) (result v128)
    local.get 0
    local.get 1
    i16x8.shr_s)
  (func $compare (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i32x4.lt_u)
  (func $test (param v128) (result i32 i32 i32)
    local.get 0
    v128.any_true
    local.get 0
    i64x2.all_true
    local.get 0
    i16x8.bitmask)
  (func $bits (param v128 v128 v128) (result v128)
    local.get 0
    local.get 1
    v128.andnot
    v128.not
    local.get 1
    local.get 2
    v128.bitselect)
  (func $add_pairs (param v128) (result v128)
    local.get 0
    i16x8.extadd_pairwise_i8x16_u)
  (func $multiply_extended (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i64x2.extmul_high_i32x4_s)
  (func $dot (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i32x4.dot_i16x8_s)
  (func $saturate (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.add_sat_u
    local.get 1
    i16x8.q15mulr_sat_s))

;; shift
;; function u0:0(i64 vmctx, i8x16, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i32):
;; @003e                               v4 = bitcast.i16x8 little v1
;; @003e                               v5 = sshr v4, v2
;; @0041                               v6 = bitcast.i8x16 little v5
;; @0041                               return v6
;; }

;; compare
;; function u0:1(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0048                               v4 = bitcast.i32x4 little v1
;; @0048                               v5 = bitcast.i32x4 little v2
;; @0048                               v6 = icmp ult v4, v5
;; @004a                               v7 = bitcast.i8x16 little v6
;; @004a                               return v7
;; }

;; test
;; function u0:2(i64 vmctx, i8x16) -> i32, i32, i32 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @004f                               v5 = vany_true v1
;; @004f                               v6 = uextend.i32 v5
;; @0053                               v7 = bitcast.i64x2 little v1
;; @0053                               v8 = vall_true v7
;; @0053                               v9 = uextend.i32 v8
;; @0058                               v10 = bitcast.i16x8 little v1
;; @0058                               v11 = vhigh_bits.i32 v10
;; @005b                               return v6, v9, v11
;; }

;; bits
;; function u0:3(i64 vmctx, i8x16, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16, v3: i8x16):
;; @0062                               v5 = bnot v2
;; @0062                               v6 = band v1, v5
;; @0064                               v7 = bnot v6
;; @006a                               v8 = bitselect v3, v7, v2
;; @006c                               return v8
;; }

;; add_pairs
;; function u0:4(i64 vmctx, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @0071                               v3 = uwiden_low v1
;; @0071                               v4 = uwiden_high v1
;; @0071                               v5 = iadd_pairwise v3, v4
;; @0073                               v6 = bitcast.i8x16 little v5
;; @0073                               return v6
;; }

;; multiply_extended
;; function u0:5(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @007a                               v4 = bitcast.i32x4 little v1
;; @007a                               v5 = bitcast.i32x4 little v2
;; @007a                               v6 = swiden_high v4
;; @007a                               v7 = swiden_high v5
;; @007a                               v8 = imul v6, v7
;; @007d                               v9 = bitcast.i8x16 little v8
;; @007d                               return v9
;; }

;; dot
;; function u0:6(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0084                               v4 = bitcast.i16x8 little v1
;; @0084                               v5 = bitcast.i16x8 little v2
;; @0084                               v6 = swiden_low v4
;; @0084                               v7 = swiden_high v4
;; @0084                               v8 = swiden_low v5
;; @0084                               v9 = swiden_high v5
;; @0084                               v10 = imul v6, v8
;; @0084                               v11 = imul v7, v9
;; @0084                               v12 = iadd_pairwise v10, v11
;; @0087                               v13 = bitcast.i8x16 little v12
;; @0087                               return v13
;; }

;; saturate
;; function u0:7(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @008e                               v4 = uadd_sat v1, v2
;; @0092                               v5 = bitcast.i16x8 little v4
;; @0092                               v6 = bitcast.i16x8 little v2
;; @0092                               v7 = sqmul_round_sat v5, v6
;; @0095                               v8 = bitcast.i8x16 little v7
;; @0095                               return v8
;; }
