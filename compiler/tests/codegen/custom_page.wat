(; A memory with pages of one byte ends in the middle of a page of the processor: every access is checked. ;)
(module
  (memory 5 (pagesize 1))
  (func $load (param i32) (result i32) local.get 0 i32.load8_u)
  (func $store (param i32 i32) local.get 0 local.get 1 i32.store offset=4)
  (func $size (result i32) memory.size)
  (func $grow (param i32) (result i32) local.get 0 memory.grow))

;; load
;; function u0:0(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @002d                               v3 = uextend.i64 v1
;; @002d                               v4 = load.i64 notrap aligned region1 v0-64
;; @002d                               v5 = iconst.i64 -1
;; @002d                               v6 = iadd v4, v5  ; v5 = -1
;; @002d                               v7 = icmp ugt v3, v6
;; @002d                               v8 = iadd v0, v3
;; @002d                               v9 = iconst.i64 0
;; @002d                               v10 = select_spectre_guard v7, v9, v8  ; v9 = 0
;; @002d                               v11 = uload8.i32 user2 little region0 v10
;; @0030                               return v11
;; }

;; store
;; function u0:1(i64 vmctx, i32, i32) tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i32):
;; @0037                               v3 = uextend.i64 v1
;; @0037                               v4 = load.i64 notrap aligned region1 v0-64
;; @0037                               v5 = icmp ugt v3, v4
;; @0037                               v6 = iconst.i64 8
;; @0037                               v7 = iadd v3, v6  ; v6 = 8
;; @0037                               v8 = icmp ugt v7, v4
;; @0037                               v9 = bor v5, v8
;; @0037                               v10 = iadd v0, v3
;; @0037                               v11 = iconst.i64 0
;; @0037                               v12 = select_spectre_guard v9, v11, v10  ; v11 = 0
;; @0037                               store user2 little region0 v2, v12+4
;; @003a                               return
;; }

;; size
;; function u0:2(i64 vmctx) -> i32 tail {
;;
;;                                 block0(v0: i64):
;; @003d                               v2 = load.i64 notrap aligned region1 v0-64
;; @003d                               v3 = iconst.i64 0
;; @003d                               v4 = ushr v2, v3  ; v3 = 0
;; @003d                               v5 = ireduce.i32 v4
;; @003f                               return v5
;; }

;; grow
;; function u0:3(i64 vmctx, i32) -> i32 tail {
;;     sig0 = (i64 vmctx, i64, i32) -> i64 tail
;;     fn0 = colocated u1:2147483648 sig0
;;
;;                                 block0(v0: i64, v1: i32):
;; @0044                               v3 = uextend.i64 v1
;; @0044                               v4 = iconst.i32 0
;; @0044                               v5 = call fn0(v0, v3, v4)  ; v4 = 0
;; @0044                               v6 = ireduce.i32 v5
;; @0046                               return v6
;; }
