(module
  (func $const (result v128)
    v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
  (func $splat (param i32 f64) (result v128 v128)
    local.get 0
    i8x16.splat
    local.get 1
    f64x2.splat)
  (func $extract (param v128) (result i32 i32 i64)
    local.get 0
    i8x16.extract_lane_s 15
    local.get 0
    i16x8.extract_lane_u 7
    local.get 0
    i64x2.extract_lane 1)
  (func $replace (param v128 i32 f32) (result v128)
    local.get 0
    local.get 1
    i16x8.replace_lane 3
    local.get 2
    f32x4.replace_lane 1)
  (func $shuffle (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23)
  (func $swizzle (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.swizzle))

;; const
;; function u0:0(i64 vmctx) -> i8x16 tail {
;;     const0 = 0x0f0e0d0c0b0a09080706050403020100
;;
;;                                 block0(v0: i64):
;; @0038                               v2 = vconst.i8x16 const0
;; @004a                               return v2  ; v2 = const0
;; }

;; splat
;; function u0:1(i64 vmctx, i32, f64) -> i8x16, i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: f64):
;; @004f                               v5 = ireduce.i8 v1
;; @004f                               v6 = splat.i8x16 v5
;; @0053                               v7 = splat.f64x2 v2
;; @0055                               v8 = bitcast.i8x16 little v7
;; @0055                               return v6, v8
;; }

;; extract
;; function u0:2(i64 vmctx, i8x16) -> i32, i32, i64 tail {
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @005a                               v5 = extractlane v1, 15
;; @005a                               v6 = sextend.i32 v5
;; @005f                               v7 = bitcast.i16x8 little v1
;; @005f                               v8 = extractlane v7, 7
;; @005f                               v9 = uextend.i32 v8
;; @0064                               v10 = bitcast.i64x2 little v1
;; @0064                               v11 = extractlane v10, 1
;; @0067                               return v6, v9, v11
;; }

;; replace
;; function u0:3(i64 vmctx, i8x16, i32, f32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i32, v3: f32):
;; @006e                               v5 = ireduce.i16 v2
;; @006e                               v6 = bitcast.i16x8 little v1
;; @006e                               v7 = insertlane v6, v5, 3
;; @0073                               v8 = bitcast.f32x4 little v7
;; @0073                               v9 = insertlane v8, v3, 1
;; @0076                               v10 = bitcast.i8x16 little v9
;; @0076                               return v10
;; }

;; shuffle
;; function u0:4(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @007d                               v4 = shuffle v1, v2, 0x17071606150514041303120211011000
;; @008f                               return v4
;; }

;; swizzle
;; function u0:5(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0096                               v4 = swizzle v1, v2
;; @0098                               return v4
;; }
