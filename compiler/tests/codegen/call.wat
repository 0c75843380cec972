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
    (return_call_indirect (type $binary) (local.get 0) (local.get 1) (local.get 2))))

;; direct
;; function u0:1(i64 vmctx, i32, i64) -> i32 tail {
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;     fn0 = colocated u0:0 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @0049                               v4 = call fn0(v0, v1, v2)
;; @004b                               return v4
;; }

;; indirect
;; function u0:2(i64 vmctx, i32, i64, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;
;;                                 block0(v0: i64, v1: i32, v2: i64, v3: i32):
;; @0054                               v5 = uextend.i64 v3
;; @0054                               v6 = iconst.i64 2
;; @0054                               v7 = icmp uge v5, v6  ; v6 = 2
;; @0054                               v8 = iconst.i64 -4096
;; @0054                               v9 = iadd v0, v8  ; v8 = -4096
;; @0054                               v10 = iconst.i64 3
;; @0054                               v11 = ishl v5, v10  ; v10 = 3
;; @0054                               v12 = iadd v9, v11
;; @0054                               v13 = iconst.i64 0
;; @0054                               v14 = select_spectre_guard v7, v13, v12  ; v13 = 0
;; @0054                               v15 = load.i64 user3 aligned little region4 v14
;; @0054                               v16 = ireduce.i32 v15
;; @0054                               v17 = iconst.i32 1
;; @0054                               v18 = icmp eq v16, v17  ; v17 = 1
;; @0054                               brif v18, block2, block3
;;
;;                                 block3 cold:
;; @0054                               trapz.i32 v16, user4
;; @0054                               trap user5
;;
;;                                 block2:
;; @0054                               v19 = iconst.i64 32
;; @0054                               v20 = ushr.i64 v15, v19  ; v19 = 32
;; @0054                               v21 = symbol_value.i64 gv0
;; @0054                               v22 = iconst.i64 2
;; @0054                               v23 = ishl v20, v22  ; v22 = 2
;; @0054                               v24 = iadd v21, v23
;; @0054                               v25 = sload32 notrap aligned readonly region5 v24
;; @0054                               v26 = iadd v21, v25
;; @0054                               v27 = call_indirect sig0, v26(v0, v1, v2)
;; @0057                               return v27
;; }

;; tail
;; function u0:3(i64 vmctx, i32, i64) -> i32 tail {
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;     fn0 = colocated u0:0 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @005e                               return_call fn0(v0, v1, v2)
;; }

;; tail_indirect
;; function u0:4(i64 vmctx, i32, i64, i32) -> i32 tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64 vmctx, i32, i64) -> i32 tail
;;
;;                                 block0(v0: i64, v1: i32, v2: i64, v3: i32):
;; @0069                               v5 = uextend.i64 v3
;; @0069                               v6 = iconst.i64 2
;; @0069                               v7 = icmp uge v5, v6  ; v6 = 2
;; @0069                               v8 = iconst.i64 -4096
;; @0069                               v9 = iadd v0, v8  ; v8 = -4096
;; @0069                               v10 = iconst.i64 3
;; @0069                               v11 = ishl v5, v10  ; v10 = 3
;; @0069                               v12 = iadd v9, v11
;; @0069                               v13 = iconst.i64 0
;; @0069                               v14 = select_spectre_guard v7, v13, v12  ; v13 = 0
;; @0069                               v15 = load.i64 user3 aligned little region4 v14
;; @0069                               v16 = ireduce.i32 v15
;; @0069                               v17 = iconst.i32 1
;; @0069                               v18 = icmp eq v16, v17  ; v17 = 1
;; @0069                               brif v18, block2, block3
;;
;;                                 block3 cold:
;; @0069                               trapz.i32 v16, user4
;; @0069                               trap user5
;;
;;                                 block2:
;; @0069                               v19 = iconst.i64 32
;; @0069                               v20 = ushr.i64 v15, v19  ; v19 = 32
;; @0069                               v21 = symbol_value.i64 gv0
;; @0069                               v22 = iconst.i64 2
;; @0069                               v23 = ishl v20, v22  ; v22 = 2
;; @0069                               v24 = iadd v21, v23
;; @0069                               v25 = sload32 notrap aligned readonly region5 v24
;; @0069                               v26 = iadd v21, v25
;; @0069                               return_call_indirect sig0, v26(v0, v1, v2)
;; }
