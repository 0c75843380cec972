(; What belongs to another instance: a memory and a mutable global through absolute addresses, checked against the owner's length; a table by exits. ;)
(module
  (type $callee (func (param i32) (result i32)))
  (import "other" "memory" (memory 1))
  (import "other" "table" (table 2 funcref))
  (import "other" "counter" (global $counter (mut i64)))
  (table $own 2 funcref)
  (func $load (param i32) (result i32) local.get 0 i32.load offset=8)
  (func $count global.get $counter i64.const 1 i64.add global.set $counter)
  (func $get (param i32) (result funcref) local.get 0 table.get 0)
  (func $call (param i32 i32) (result i32) local.get 0 local.get 1 call_indirect $own (type $callee)))

;; load
;; function u0:0(i64 vmctx, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0066                               v3 = uextend.i64 v1
;; @0066                               v4 = load.i64 notrap aligned region1 v0-0x0001_4070
;; @0066                               v5 = load.i64 notrap aligned region1 v4
;; @0066                               v6 = iconst.i64 -12
;; @0066                               v7 = iadd v5, v6  ; v6 = -12
;; @0066                               v8 = icmp ugt v3, v7
;; @0066                               v9 = load.i64 notrap aligned region1 v0-0x0001_4058
;; @0066                               v10 = iadd v9, v3
;; @0066                               v11 = iconst.i64 0
;; @0066                               v12 = select_spectre_guard v8, v11, v10  ; v11 = 0
;; @0066                               v13 = load.i32 user2 little region0 v12+8
;; @0069                               return v13
;; }

;; count
;; function u0:1(i64 vmctx) tail {
;;
;;                                 block0(v0: i64):
;; @006c                               v1 = load.i64 notrap aligned region1 v0-0x0001_4010
;; @006c                               v2 = load.i64 notrap aligned region3 v1
;; @006e                               v3 = iconst.i64 1
;; @0070                               v4 = iadd v2, v3  ; v3 = 1
;; @0071                               v5 = load.i64 notrap aligned region1 v0-0x0001_4010
;; @0071                               store notrap aligned region3 v4, v5
;; @0073                               return
;; }

;; get
;; function u0:2(i64 vmctx, i32) -> i64 tail {
;;     sig0 = (i64 vmctx, i32) -> i64 tail
;;     sig1 = (i64 vmctx, i64, i32) -> i64 tail
;;     fn0 = colocated u1:2147483650 sig0
;;     fn1 = colocated u1:2147483651 sig1
;;
;;                                 block0(v0: i64, v1: i32):
;; @0078                               v3 = uextend.i64 v1
;; @0078                               v4 = iconst.i32 0
;; @0078                               v5 = call fn0(v0, v4)  ; v4 = 0
;; @0078                               v6 = icmp uge v3, v5
;; @0078                               trapnz v6, user3
;; @0078                               v7 = iconst.i32 0
;; @0078                               v8 = call fn1(v0, v3, v7)  ; v7 = 0
;; @007a                               return v8
;; }

;; call
;; function u0:3(i64 vmctx, i32, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname1
;;     gv1 = symbol colocated userextname2
;;     sig0 = (i64 vmctx, i64, i32) -> i64 tail
;;     sig1 = (i64 vmctx, i32) -> i32 tail
;;     fn0 = colocated u1:2147483655 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32):
;; @0081                               v4 = uextend.i64 v2
;; @0081                               v5 = load.i64 notrap aligned region1 v0-0x0001_4060
;; @0081                               v6 = icmp uge v4, v5
;; @0081                               v7 = iconst.i64 -81920
;; @0081                               v8 = iadd v0, v7  ; v7 = -81920
;; @0081                               v9 = iconst.i64 3
;; @0081                               v10 = ishl v4, v9  ; v9 = 3
;; @0081                               v11 = iadd v8, v10
;; @0081                               v12 = iconst.i64 0
;; @0081                               v13 = select_spectre_guard v6, v12, v11  ; v12 = 0
;; @0081                               v14 = load.i64 user3 aligned little region4 v13
;; @0081                               v15 = ireduce.i32 v14
;; @0081                               v16 = iconst.i32 1
;; @0081                               v17 = icmp eq v15, v16  ; v16 = 1
;; @0081                               brif v17, block2, block3
;;
;;                                 block3 cold:
;; @0081                               trapz.i32 v15, user4
;; @0081                               v18 = iconst.i32 0
;; @0081                               v19 = icmp.i32 sgt v15, v18  ; v18 = 0
;; @0081                               trapnz v19, user5
;; @0081                               v20 = iconst.i32 1
;; @0081                               v21 = call fn0(v0, v14, v20)  ; v20 = 1
;; @0081                               trapz v21, user5
;; @0081                               store.i64 notrap aligned region1 v14, v0-0x0001_4050
;; @0081                               v23 = symbol_value.i64 gv0
;; @0081                               jump block4(v23)
;;
;;                                 block2:
;; @0081                               v24 = iconst.i64 32
;; @0081                               v25 = ushr.i64 v14, v24  ; v24 = 32
;; @0081                               v26 = symbol_value.i64 gv1
;; @0081                               v27 = iconst.i64 2
;; @0081                               v28 = ishl v25, v27  ; v27 = 2
;; @0081                               v29 = iadd v26, v28
;; @0081                               v30 = sload32 notrap aligned readonly region5 v29
;; @0081                               v31 = iadd v26, v30
;; @0081                               jump block4(v31)
;;
;;                                 block4(v22: i64):
;; @0081                               v32 = call_indirect sig1, v22(v0, v1)
;; @0084                               return v32
;; }
