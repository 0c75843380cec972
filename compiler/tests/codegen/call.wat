(module
  (type $binary (func (param i32 i64) (result i32)))
  (import "host" "write" (func $write (type $binary)))
  (table 2 2 funcref)
  (elem (i32.const 0) $write $direct)
  (func $direct (type $binary)
    (call $write (local.get 0) (local.get 1)))
  (func $indirect (param i32 i64 i32) (result i32)
    (call_indirect (type $binary) (local.get 0) (local.get 1) (local.get 2)))
  (func $tail (type $binary)
    (return_call $write (local.get 0) (local.get 1)))
  (func $tail_indirect (param i32 i64 i32) (result i32)
    (return_call_indirect (type $binary) (local.get 0) (local.get 1) (local.get 2)))
  (func $ref (param (ref null $binary) i32) (result i32)
    (call_ref $binary (local.get 1) (i64.const 7) (local.get 0)))
  (func $tail_ref (param (ref $binary) i32) (result i32)
    (return_call_ref $binary (local.get 1) (i64.const 7) (local.get 0))))

;; direct
;; function u0:1(i64 vmctx, i32, i64) -> i32 tail {
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;     fn0 = colocated u0:0 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @0059                               v4 = call fn0(v0, v1, v2)
;; @005b                               return v4
;; }

;; indirect
;; function u0:2(i64 vmctx, i32, i64, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;
;;                                 block0(v0: i64, v1: i32, v2: i64, v3: i32):
;; @0064                               v5 = uextend.i64 v3
;; @0064                               v6 = iconst.i64 2
;; @0064                               v7 = icmp uge v5, v6  ; v6 = 2
;; @0064                               v8 = iconst.i64 -4096
;; @0064                               v9 = iadd v0, v8  ; v8 = -4096
;; @0064                               v10 = iconst.i64 3
;; @0064                               v11 = ishl v5, v10  ; v10 = 3
;; @0064                               v12 = iadd v9, v11
;; @0064                               v13 = iconst.i64 0
;; @0064                               v14 = select_spectre_guard v7, v13, v12  ; v13 = 0
;; @0064                               v15 = load.i64 user3 aligned little region4 v14
;; @0064                               v16 = ireduce.i32 v15
;; @0064                               v17 = iconst.i32 1
;; @0064                               v18 = icmp eq v16, v17  ; v17 = 1
;; @0064                               brif v18, block2, block3
;;
;;                                 block3 cold:
;; @0064                               trapz.i32 v16, user4
;; @0064                               trap user5
;;
;;                                 block2:
;; @0064                               v19 = iconst.i64 32
;; @0064                               v20 = ushr.i64 v15, v19  ; v19 = 32
;; @0064                               v21 = symbol_value.i64 gv0
;; @0064                               v22 = iconst.i64 2
;; @0064                               v23 = ishl v20, v22  ; v22 = 2
;; @0064                               v24 = iadd v21, v23
;; @0064                               v25 = sload32 notrap aligned readonly region5 v24
;; @0064                               v26 = iadd v21, v25
;; @0064                               v27 = call_indirect sig0, v26(v0, v1, v2)
;; @0067                               return v27
;; }

;; tail
;; function u0:3(i64 vmctx, i32, i64) -> i32 tail {
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;     fn0 = colocated u0:0 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @006e                               return_call fn0(v0, v1, v2)
;; }

;; tail_indirect
;; function u0:4(i64 vmctx, i32, i64, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;
;;                                 block0(v0: i64, v1: i32, v2: i64, v3: i32):
;; @0079                               v5 = uextend.i64 v3
;; @0079                               v6 = iconst.i64 2
;; @0079                               v7 = icmp uge v5, v6  ; v6 = 2
;; @0079                               v8 = iconst.i64 -4096
;; @0079                               v9 = iadd v0, v8  ; v8 = -4096
;; @0079                               v10 = iconst.i64 3
;; @0079                               v11 = ishl v5, v10  ; v10 = 3
;; @0079                               v12 = iadd v9, v11
;; @0079                               v13 = iconst.i64 0
;; @0079                               v14 = select_spectre_guard v7, v13, v12  ; v13 = 0
;; @0079                               v15 = load.i64 user3 aligned little region4 v14
;; @0079                               v16 = ireduce.i32 v15
;; @0079                               v17 = iconst.i32 1
;; @0079                               v18 = icmp eq v16, v17  ; v17 = 1
;; @0079                               brif v18, block2, block3
;;
;;                                 block3 cold:
;; @0079                               trapz.i32 v16, user4
;; @0079                               trap user5
;;
;;                                 block2:
;; @0079                               v19 = iconst.i64 32
;; @0079                               v20 = ushr.i64 v15, v19  ; v19 = 32
;; @0079                               v21 = symbol_value.i64 gv0
;; @0079                               v22 = iconst.i64 2
;; @0079                               v23 = ishl v20, v22  ; v22 = 2
;; @0079                               v24 = iadd v21, v23
;; @0079                               v25 = sload32 notrap aligned readonly region5 v24
;; @0079                               v26 = iadd v21, v25
;; @0079                               return_call_indirect sig0, v26(v0, v1, v2)
;; }

;; ref
;; function u0:5(i64 vmctx, i64, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;
;;                                 block0(v0: i64, v1: i64, v2: i32):
;; @0081                               v4 = iconst.i64 7
;; @0085                               trapz v1, user10
;; @0085                               v5 = iconst.i64 32
;; @0085                               v6 = ushr v1, v5  ; v5 = 32
;; @0085                               v7 = symbol_value.i64 gv0
;; @0085                               v8 = iconst.i64 2
;; @0085                               v9 = ishl v6, v8  ; v8 = 2
;; @0085                               v10 = iadd v7, v9
;; @0085                               v11 = sload32 notrap aligned readonly region5 v10
;; @0085                               v12 = iadd v7, v11
;; @0085                               v13 = call_indirect sig0, v12(v0, v2, v4)  ; v4 = 7
;; @0087                               return v13
;; }

;; tail_ref
;; function u0:6(i64 vmctx, i64, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;
;;                                 block0(v0: i64, v1: i64, v2: i32):
;; @008c                               v4 = iconst.i64 7
;; @0090                               trapz v1, user10
;; @0090                               v5 = iconst.i64 32
;; @0090                               v6 = ushr v1, v5  ; v5 = 32
;; @0090                               v7 = symbol_value.i64 gv0
;; @0090                               v8 = iconst.i64 2
;; @0090                               v9 = ishl v6, v8  ; v8 = 2
;; @0090                               v10 = iadd v7, v9
;; @0090                               v11 = sload32 notrap aligned readonly region5 v10
;; @0090                               v12 = iadd v7, v11
;; @0090                               return_call_indirect sig0, v12(v0, v2, v4)  ; v4 = 7
;; }
