(module
  (func $add (param i64 i64 i64 i64) (result i64 i64)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    i64.add128)
  (func $multiply (param i64 i64) (result i64 i64)
    local.get 0
    local.get 1
    i64.mul_wide_u))

;; add
;; function u0:0(i64 vmctx, i64, i64, i64, i64) -> i64, i64 tail {
;;
;;                                 block0(v0: i64, v1: i64, v2: i64, v3: i64, v4: i64):
;; @002d                               v7 = iconcat v3, v4
;; @002d                               v8 = iconcat v1, v2
;; @002d                               v9 = iadd v8, v7
;; @002d                               v10, v11 = isplit v9
;; @002f                               return v10, v11
;; }

;; multiply
;; function u0:1(i64 vmctx, i64, i64) -> i64, i64 tail {
;;
;;                                 block0(v0: i64, v1: i64, v2: i64):
;; @0036                               v5 = uextend.i128 v1
;; @0036                               v6 = uextend.i128 v2
;; @0036                               v7 = imul v5, v6
;; @0036                               v8, v9 = isplit v7
;; @0038                               return v8, v9
;; }
