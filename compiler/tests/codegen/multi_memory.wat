(; Memory k lies at a constant distance from vmctx: no access loads a base, and the guard behind each catches what is out of bounds. ;)
(module
  (memory 1)
  (memory 1)
  (memory 2 3)
  (func $load (param i32) (result i32) local.get 0 i32.load 2 offset=8)
  (func $store (param i32 i64) local.get 0 local.get 1 i64.store 1)
  (func $copy (param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.copy 1 2)
  (func $size (result i32) memory.size 2))

;; load
;; function u0:0(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0037                               v3 = uextend.i64 v1
;; @0037                               v4 = iconst.i64 0x0002_0400_0000
;; @0037                               v5 = iadd v0, v4  ; v4 = 0x0002_0400_0000
;; @0037                               v6 = iadd v5, v3
;; @0037                               v7 = load.i32 user2 little region0 v6+8
;; @003b                               return v7
;; }

;; store
;; function u0:1(i64 vmctx, i32, i64) tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @0042                               v3 = uextend.i64 v1
;; @0042                               v4 = iconst.i64 0x0001_0200_0000
;; @0042                               v5 = iadd v0, v4  ; v4 = 0x0001_0200_0000
;; @0042                               v6 = iadd v5, v3
;; @0042                               store user2 little region0 v2, v6
;; @0046                               return
;; }

;; copy
;; function u0:2(i64 vmctx, i32, i32, i32) tail {
;;     sig0 = (i64, i64, i64) tail
;;     fn0 = colocated u2:2 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;; @004f                               v4 = uextend.i64 v1
;; @004f                               v5 = uextend.i64 v2
;; @004f                               v6 = uextend.i64 v3
;; @004f                               v7 = load.i64 notrap aligned region1 v0-72
;; @004f                               v8 = iadd v4, v6
;; @004f                               v9 = icmp ugt v8, v7
;; @004f                               trapnz v9, user2
;; @004f                               v10 = load.i64 notrap aligned region1 v0-64
;; @004f                               v11 = iadd v5, v6
;; @004f                               v12 = icmp ugt v11, v10
;; @004f                               trapnz v12, user2
;; @004f                               v13 = iconst.i64 0x0001_0200_0000
;; @004f                               v14 = iadd v0, v13  ; v13 = 0x0001_0200_0000
;; @004f                               v15 = iadd v14, v4
;; @004f                               v16 = iconst.i64 0x0002_0400_0000
;; @004f                               v17 = iadd v0, v16  ; v16 = 0x0002_0400_0000
;; @004f                               v18 = iadd v17, v5
;; @004f                               call fn0(v15, v18, v6)
;; @0053                               return
;; }

;; size
;; function u0:3(i64 vmctx) -> i32 tail {
;;
;;                                 block0(v0: i64):
;; @0056                               v2 = load.i64 notrap aligned region1 v0-64
;; @0056                               v3 = iconst.i64 16
;; @0056                               v4 = ushr v2, v3  ; v3 = 16
;; @0056                               v5 = ireduce.i32 v4
;; @0058                               return v5
;; }
