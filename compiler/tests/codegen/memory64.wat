(; An access with a 64-bit address has its address replaced by null where it is out of bounds, also in speculation. ;)
(module
  (memory i64 1)
  (table i64 2 funcref)
  (func $within_minimum (param i64) (result i32) local.get 0 i32.load offset=8)
  (func $past_minimum (param i64 i64) local.get 0 local.get 1 i64.store offset=65536)
  (func $past_any_memory (param i64) (result i32) local.get 0 i32.load8_u offset=0x100000000)
  (func $grow (param i64) (result i64) local.get 0 memory.grow)
  (func $fill (param i64 i32 i64) local.get 0 local.get 1 local.get 2 memory.fill)
  (func $get (param i64) (result funcref) local.get 0 table.get 0))

;; within_minimum
;; function u0:0(i64 vmctx, i64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0040                               v3 = load.i64 notrap aligned region1 v0-0x0001_4040
;; @0040                               v4 = iconst.i64 -12
;; @0040                               v5 = iadd v3, v4  ; v4 = -12
;; @0040                               v6 = icmp ugt v1, v5
;; @0040                               v7 = iadd v0, v1
;; @0040                               v8 = iconst.i64 0
;; @0040                               v9 = select_spectre_guard v6, v8, v7  ; v8 = 0
;; @0040                               v10 = load.i32 user2 little region0 v9+8
;; @0043                               return v10
;; }

;; past_minimum
;; function u0:1(i64 vmctx, i64, i64) tail {
;;
;;                                 block0(v0: i64, v1: i64, v2: i64):
;; @004a                               v3 = load.i64 notrap aligned region1 v0-0x0001_4040
;; @004a                               v4 = icmp ugt v1, v3
;; @004a                               v5 = iconst.i64 0x0001_0008
;; @004a                               v6 = iadd v1, v5  ; v5 = 0x0001_0008
;; @004a                               v7 = icmp ugt v6, v3
;; @004a                               v8 = bor v4, v7
;; @004a                               v9 = iadd v0, v1
;; @004a                               v10 = iconst.i64 0x0001_0000
;; @004a                               v11 = iadd v9, v10  ; v10 = 0x0001_0000
;; @004a                               v12 = iconst.i64 0
;; @004a                               v13 = select_spectre_guard v8, v12, v11  ; v12 = 0
;; @004a                               store user2 little region0 v2, v13
;; @004f                               return
;; }

;; past_any_memory
;; function u0:2(i64 vmctx, i64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0054                               v3 = iconst.i64 0
;; @0054                               v4 = uload8.i32 user2 little region0 v3  ; v3 = 0
;; @005b                               return v4
;; }

;; grow
;; function u0:3(i64 vmctx, i64) -> i64 tail {
;;     sig0 = (i64 vmctx, i64, i32) -> i64 tail
;;     fn0 = colocated u1:2147483648 sig0
;;
;;                                 block0(v0: i64, v1: i64):
;; @0060                               v3 = iconst.i32 0
;; @0060                               v4 = call fn0(v0, v1, v3)  ; v3 = 0
;; @0062                               return v4
;; }

;; fill
;; function u0:4(i64 vmctx, i64, i32, i64) tail {
;;     sig0 = (i64, i32, i64) tail
;;     fn0 = colocated u2:3 sig0
;;
;;                                 block0(v0: i64, v1: i64, v2: i32, v3: i64):
;; @006b                               v4 = load.i64 notrap aligned region1 v0-0x0001_4040
;; @006b                               v5 = icmp ugt v3, v4
;; @006b                               v6 = isub v4, v3
;; @006b                               v7 = icmp ugt v1, v6
;; @006b                               v8 = bor v5, v7
;; @006b                               trapnz v8, user2
;; @006b                               v9 = iadd v0, v1
;; @006b                               call fn0(v9, v2, v3)
;; @006e                               return
;; }

;; get
;; function u0:5(i64 vmctx, i64) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0073                               v3 = load.i64 notrap aligned region1 v0-0x0001_4038
;; @0073                               v4 = icmp uge v1, v3
;; @0073                               v5 = iconst.i64 -81920
;; @0073                               v6 = iadd v0, v5  ; v5 = -81920
;; @0073                               v7 = iconst.i64 3
;; @0073                               v8 = ishl v1, v7  ; v7 = 3
;; @0073                               v9 = iadd v6, v8
;; @0073                               v10 = iconst.i64 0
;; @0073                               v11 = select_spectre_guard v4, v10, v9  ; v10 = 0
;; @0073                               v12 = load.i64 user3 aligned little region4 v11
;; @0075                               return v12
;; }
