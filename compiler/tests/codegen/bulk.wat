(module
  (memory 1 10)
  (data $passive "abc")
  (func $fill (param i32 i32 i32)
    (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func $copy (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func $init (param i32 i32 i32)
    (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
  (func $drop
    (data.drop $passive)))

;; fill
;; function u0:0(i64 vmctx, i32, i32, i32) tail {
;;     sig0 = (i64, i32, i64) tail
;;     fn0 = colocated u2:3 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;; @002f                               v4 = uextend.i64 v1
;; @002f                               v5 = uextend.i64 v3
;; @002f                               v6 = load.i64 notrap aligned region1 v0-64
;; @002f                               v7 = iadd v4, v5
;; @002f                               v8 = icmp ugt v7, v6
;; @002f                               trapnz v8, user2
;; @002f                               v9 = iadd v0, v4
;; @002f                               call fn0(v9, v2, v5)
;; @0032                               return
;; }

;; copy
;; function u0:1(i64 vmctx, i32, i32, i32) tail {
;;     sig0 = (i64, i64, i64) tail
;;     fn0 = colocated u2:2 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;; @003b                               v4 = uextend.i64 v1
;; @003b                               v5 = uextend.i64 v2
;; @003b                               v6 = uextend.i64 v3
;; @003b                               v7 = load.i64 notrap aligned region1 v0-64
;; @003b                               v8 = iadd v4, v6
;; @003b                               v9 = icmp ugt v8, v7
;; @003b                               trapnz v9, user2
;; @003b                               v10 = load.i64 notrap aligned region1 v0-64
;; @003b                               v11 = iadd v5, v6
;; @003b                               v12 = icmp ugt v11, v10
;; @003b                               trapnz v12, user2
;; @003b                               v13 = iadd v0, v4
;; @003b                               v14 = iadd v0, v5
;; @003b                               call fn0(v13, v14, v6)
;; @003f                               return
;; }

;; init
;; function u0:2(i64 vmctx, i32, i32, i32) tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64, i64, i64) tail
;;     fn0 = colocated u2:2 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;; @0048                               v4 = uextend.i64 v1
;; @0048                               v5 = uextend.i64 v2
;; @0048                               v6 = uextend.i64 v3
;; @0048                               v7 = load.i64 notrap aligned region1 v0-56
;; @0048                               v8 = iadd v5, v6
;; @0048                               v9 = icmp ugt v8, v7
;; @0048                               trapnz v9, user2
;; @0048                               v10 = load.i64 notrap aligned region1 v0-64
;; @0048                               v11 = iadd v4, v6
;; @0048                               v12 = icmp ugt v11, v10
;; @0048                               trapnz v12, user2
;; @0048                               v13 = symbol_value.i64 gv0
;; @0048                               v14 = iadd v0, v4
;; @0048                               v15 = iadd v13, v5
;; @0048                               call fn0(v14, v15, v6)
;; @004c                               return
;; }

;; drop
;; function u0:3(i64 vmctx) tail {
;;
;;                                 block0(v0: i64):
;; @004f                               v1 = iconst.i64 0
;; @004f                               store notrap aligned region1 v1, v0-56  ; v1 = 0
;; @0052                               return
;; }
