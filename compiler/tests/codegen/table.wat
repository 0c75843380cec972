(module
  (table $fixed 4 4 funcref)
  (table $growing 4 externref)
  (elem $passive funcref (ref.null func))
  (func $get (param i32) (result externref)
    (table.get $growing (local.get 0)))
  (func $set (param i32 funcref)
    (table.set $fixed (local.get 0) (local.get 1)))
  (func $size (result i32)
    (i32.add (table.size $fixed) (table.size $growing)))
  (func $grow (param externref i32) (result i32)
    (table.grow $growing (local.get 0) (local.get 1)))
  (func $fill (param i32 externref i32)
    (table.fill $growing (local.get 0) (local.get 1) (local.get 2)))
  (func $copy (param i32 i32 i32)
    (table.copy $fixed $fixed (local.get 0) (local.get 1) (local.get 2)))
  (func $init (param i32 i32 i32)
    (table.init $fixed $passive (local.get 0) (local.get 1) (local.get 2)))
  (func $drop
    (elem.drop $passive)))

;; get
;; function u0:0(i64 vmctx, i32) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0053                               v3 = uextend.i64 v1
;; @0053                               v4 = load.i64 notrap aligned region1 v0-0x0001_4048
;; @0053                               v5 = icmp uge v3, v4
;; @0053                               v6 = iconst.i64 -81888
;; @0053                               v7 = iadd v0, v6  ; v6 = -81888
;; @0053                               v8 = iconst.i64 3
;; @0053                               v9 = ishl v3, v8  ; v8 = 3
;; @0053                               v10 = iadd v7, v9
;; @0053                               v11 = iconst.i64 0
;; @0053                               v12 = select_spectre_guard v5, v11, v10  ; v11 = 0
;; @0053                               v13 = load.i64 user3 aligned little region4 v12
;; @0055                               return v13
;; }

;; set
;; function u0:1(i64 vmctx, i32, i64) tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @005c                               v3 = uextend.i64 v1
;; @005c                               v4 = iconst.i64 4
;; @005c                               v5 = icmp uge v3, v4  ; v4 = 4
;; @005c                               v6 = iconst.i64 -81920
;; @005c                               v7 = iadd v0, v6  ; v6 = -81920
;; @005c                               v8 = iconst.i64 3
;; @005c                               v9 = ishl v3, v8  ; v8 = 3
;; @005c                               v10 = iadd v7, v9
;; @005c                               v11 = iconst.i64 0
;; @005c                               v12 = select_spectre_guard v5, v11, v10  ; v11 = 0
;; @005c                               store user3 aligned little region4 v2, v12
;; @005e                               return
;; }

;; size
;; function u0:2(i64 vmctx) -> i32 tail {
;;
;;                                 block0(v0: i64):
;; @0061                               v2 = iconst.i64 4
;; @0061                               v3 = ireduce.i32 v2  ; v2 = 4
;; @0064                               v4 = load.i64 notrap aligned region1 v0-0x0001_4048
;; @0064                               v5 = ireduce.i32 v4
;; @0067                               v6 = iadd v3, v5
;; @0068                               return v6
;; }

;; grow
;; function u0:3(i64 vmctx, i64, i32) -> i32 tail {
;;     sig0 = (i64 vmctx, i64, i64, i32) -> i64 tail
;;     fn0 = colocated u1:2147483649 sig0
;;
;;                                 block0(v0: i64, v1: i64, v2: i32):
;; @006f                               v4 = uextend.i64 v2
;; @006f                               v5 = iconst.i32 1
;; @006f                               v6 = call fn0(v0, v1, v4, v5)  ; v5 = 1
;; @006f                               v7 = ireduce.i32 v6
;; @0072                               return v7
;; }

;; fill
;; function u0:4(i64 vmctx, i32, i64, i32) tail {
;;     sig0 = (i64, i64, i64) tail
;;     fn0 = colocated u2:4 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i64, v3: i32):
;; @007b                               v4 = uextend.i64 v1
;; @007b                               v5 = uextend.i64 v3
;; @007b                               v6 = load.i64 notrap aligned region1 v0-0x0001_4048
;; @007b                               v7 = iadd v4, v5
;; @007b                               v8 = icmp ugt v7, v6
;; @007b                               trapnz v8, user3
;; @007b                               v9 = iconst.i64 -81888
;; @007b                               v10 = iadd v0, v9  ; v9 = -81888
;; @007b                               v11 = iconst.i64 3
;; @007b                               v12 = ishl v4, v11  ; v11 = 3
;; @007b                               v13 = iadd v10, v12
;; @007b                               call fn0(v13, v2, v5)
;; @007e                               return
;; }

;; copy
;; function u0:5(i64 vmctx, i32, i32, i32) tail {
;;     sig0 = (i64, i64, i64) tail
;;     fn0 = colocated u2:2 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;; @0087                               v4 = uextend.i64 v1
;; @0087                               v5 = uextend.i64 v2
;; @0087                               v6 = uextend.i64 v3
;; @0087                               v7 = iconst.i64 4
;; @0087                               v8 = iadd v4, v6
;; @0087                               v9 = icmp ugt v8, v7  ; v7 = 4
;; @0087                               trapnz v9, user3
;; @0087                               v10 = iconst.i64 4
;; @0087                               v11 = iadd v5, v6
;; @0087                               v12 = icmp ugt v11, v10  ; v10 = 4
;; @0087                               trapnz v12, user3
;; @0087                               v13 = iconst.i64 -81920
;; @0087                               v14 = iadd v0, v13  ; v13 = -81920
;; @0087                               v15 = iconst.i64 3
;; @0087                               v16 = ishl v4, v15  ; v15 = 3
;; @0087                               v17 = iadd v14, v16
;; @0087                               v18 = iconst.i64 -81920
;; @0087                               v19 = iadd v0, v18  ; v18 = -81920
;; @0087                               v20 = iconst.i64 3
;; @0087                               v21 = ishl v5, v20  ; v20 = 3
;; @0087                               v22 = iadd v19, v21
;; @0087                               v23 = iconst.i64 3
;; @0087                               v24 = ishl v6, v23  ; v23 = 3
;; @0087                               call fn0(v17, v22, v24)
;; @008b                               return
;; }

;; init
;; function u0:6(i64 vmctx, i32, i32, i32) tail {
;;     gv0 = symbol colocated userextname0
;;     sig0 = (i64, i64, i64) tail
;;     fn0 = colocated u2:2 sig0
;;
;;                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;; @0094                               v4 = uextend.i64 v1
;; @0094                               v5 = uextend.i64 v2
;; @0094                               v6 = uextend.i64 v3
;; @0094                               v7 = load.i64 notrap aligned region1 v0-0x0001_4040
;; @0094                               v8 = iadd v5, v6
;; @0094                               v9 = icmp ugt v8, v7
;; @0094                               trapnz v9, user3
;; @0094                               v10 = iconst.i64 4
;; @0094                               v11 = iadd v4, v6
;; @0094                               v12 = icmp ugt v11, v10  ; v10 = 4
;; @0094                               trapnz v12, user3
;; @0094                               v13 = symbol_value.i64 gv0
;; @0094                               v14 = iconst.i64 3
;; @0094                               v15 = ishl v5, v14  ; v14 = 3
;; @0094                               v16 = iadd v13, v15
;; @0094                               v17 = iconst.i64 -81920
;; @0094                               v18 = iadd v0, v17  ; v17 = -81920
;; @0094                               v19 = iconst.i64 3
;; @0094                               v20 = ishl v4, v19  ; v19 = 3
;; @0094                               v21 = iadd v18, v20
;; @0094                               v22 = iconst.i64 3
;; @0094                               v23 = ishl v6, v22  ; v22 = 3
;; @0094                               call fn0(v21, v16, v23)
;; @0098                               return
;; }

;; drop
;; function u0:7(i64 vmctx) tail {
;;
;;                                 block0(v0: i64):
;; @009b                               v1 = iconst.i64 0
;; @009b                               store notrap aligned region1 v1, v0-0x0001_4040  ; v1 = 0
;; @009e                               return
;; }
