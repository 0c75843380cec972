(module
  (func $compare (param v128 v128) (result v128)
    local.get 0
    local.get 1
    f64x2.le)
  (func $arithmetic (param v128 v128) (result v128)
    local.get 0
    local.get 1
    f32x4.div
    f32x4.nearest)
  (func $minimum (param v128 v128) (result v128)
    local.get 0
    local.get 1
    f32x4.min)
  (func $minimum_by_comparison (param v128 v128) (result v128)
    local.get 0
    local.get 1
    f32x4.pmin)
  (func $maximum_by_comparison (param v128 v128) (result v128)
    local.get 0
    local.get 1
    f64x2.pmax))

;; compare
;; function u0:0(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0022                               v4 = bitcast.f64x2 little v1
;; @0022                               v5 = bitcast.f64x2 little v2
;; @0022                               v6 = fcmp le v4, v5
;; @0024                               v7 = bitcast.i8x16 little v6
;; @0024                               return v7
;; }

;; arithmetic
;; function u0:1(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @002b                               v4 = bitcast.f32x4 little v1
;; @002b                               v5 = bitcast.f32x4 little v2
;; @002b                               v6 = fdiv v4, v5
;; @002e                               v7 = nearest v6
;; @0030                               v8 = bitcast.i8x16 little v7
;; @0030                               return v8
;; }

;; minimum
;; function u0:2(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0037                               v4 = bitcast.f32x4 little v1
;; @0037                               v5 = bitcast.f32x4 little v2
;; @0037                               v6 = fmin v4, v5
;; @003a                               v7 = bitcast.i8x16 little v6
;; @003a                               return v7
;; }

;; minimum_by_comparison
;; function u0:3(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @0041                               v4 = bitcast.f32x4 little v1
;; @0041                               v5 = bitcast.f32x4 little v2
;; @0041                               v6 = fcmp lt v5, v4
;; @0041                               v7 = bitcast.f32x4 little v6
;; @0041                               v8 = bitselect v7, v5, v4
;; @0044                               v9 = bitcast.i8x16 little v8
;; @0044                               return v9
;; }

;; maximum_by_comparison
;; function u0:4(i64 vmctx, i8x16, i8x16) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i8x16):
;; @004b                               v4 = bitcast.f64x2 little v1
;; @004b                               v5 = bitcast.f64x2 little v2
;; @004b                               v6 = fcmp lt v4, v5
;; @004b                               v7 = bitcast.f64x2 little v6
;; @004b                               v8 = bitselect v7, v5, v4
;; @004e                               v9 = bitcast.i8x16 little v8
;; @004e                               return v9
;; }
