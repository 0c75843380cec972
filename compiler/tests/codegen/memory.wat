(module
  (memory 1 10)
  (func $load (param i32) (result i32)
    (i32.load offset=8 (local.get 0)))
  (func $narrow (param i32 i64)
    (i64.store8 (local.get 0) (i64.load16_s offset=3 (local.get 0))))
  (func $guarded (param i32) (result i64)
    (i64.load offset=33554424 (local.get 0)))
  (func $checked (param i32) (result i64)
    (i64.load offset=33554425 (local.get 0)))
  (func $size (result i32)
    memory.size)
  (func $grow (param i32) (result i32)
    (memory.grow (local.get 0))))

;; load
;; function u0:0(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0034                               v3 = uextend.i64 v1
;; @0034                               v4 = iadd v0, v3
;; @0034                               v5 = load.i32 user2 little region0 v4+8
;; @0037                               return v5
;; }

;; narrow
;; function u0:1(i64 vmctx, i32, i64) tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @003e                               v3 = uextend.i64 v1
;; @003e                               v4 = iadd v0, v3
;; @003e                               v5 = sload16.i64 user2 little region0 v4+3
;; @0041                               v6 = uextend.i64 v1
;; @0041                               v7 = iadd v0, v6
;; @0041                               istore8 user2 little region0 v5, v7
;; @0044                               return
;; }

;; guarded
;; function u0:2(i64 vmctx, i32) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0049                               v3 = uextend.i64 v1
;; @0049                               v4 = iadd v0, v3
;; @0049                               v5 = load.i64 user2 little region0 v4+0x01ff_fff8
;; @004f                               return v5
;; }

;; checked
;; function u0:3(i64 vmctx, i32) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0054                               v3 = uextend.i64 v1
;; @0054                               v4 = iadd v0, v3
;; @0054                               v5 = iconst.i64 0x0200_0001
;; @0054                               v6 = iadd v3, v5  ; v5 = 0x0200_0001
;; @0054                               v7 = load.i64 notrap aligned region1 v0-64
;; @0054                               v8 = icmp ugt v6, v7
;; @0054                               trapnz v8, user2
;; @0054                               v9 = iconst.i64 0x01ff_fff9
;; @0054                               v10 = iadd v4, v9  ; v9 = 0x01ff_fff9
;; @0054                               v11 = iconst.i64 0
;; @0054                               v12 = select_spectre_guard v8, v11, v10  ; v11 = 0
;; @0054                               v13 = load.i64 user2 little region0 v12
;; @005a                               return v13
;; }

;; size
;; function u0:4(i64 vmctx) -> i32 tail {
;;
;;                                 block0(v0: i64):
;; @005d                               v2 = load.i64 notrap aligned region1 v0-64
;; @005d                               v3 = iconst.i64 16
;; @005d                               v4 = ushr v2, v3  ; v3 = 16
;; @005d                               v5 = ireduce.i32 v4
;; @005f                               return v5
;; }

;; grow
;; function u0:5(i64 vmctx, i32) -> i32 tail {
;;     sig0 = (i64 vmctx, i64, i32) -> i64 tail
;;     fn0 = colocated u1:2147483648 sig0
;;
;;                                 block0(v0: i64, v1: i32):
;; @0064                               v3 = uextend.i64 v1
;; @0064                               v4 = iconst.i32 0
;; @0064                               v5 = call fn0(v0, v3, v4)  ; v4 = 0
;; @0064                               v6 = ireduce.i32 v5
;; @0066                               return v6
;; }
