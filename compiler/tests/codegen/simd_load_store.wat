(module
  (memory 1)
  (func $whole (param i32)
    local.get 0
    local.get 0
    v128.load offset=16 align=1
    v128.store)
  (func $extended (param i32) (result v128)
    local.get 0
    v128.load8x8_s offset=8)
  (func $splat (param i32) (result v128)
    local.get 0
    v128.load16_splat)
  (func $zero (param i32) (result v128)
    local.get 0
    v128.load64_zero)
  (func $lane (param i32 v128)
    local.get 0
    local.get 0
    local.get 1
    v128.load8_lane offset=1 15
    v128.store32_lane offset=4 2)
  (func $past_the_guard (param i32) (result v128)
    local.get 0
    v128.load32x2_u offset=100000000))

;; whole
;; function u0:0(i64 vmctx, i32) tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0030                               v2 = uextend.i64 v1
;; @0030                               v3 = iadd v0, v2
;; @0030                               v4 = load.i8x16 user2 little region0 v3+16
;; @0034                               v5 = uextend.i64 v1
;; @0034                               v6 = iadd v0, v5
;; @0034                               store user2 little region0 v4, v6
;; @0038                               return
;; }

;; extended
;; function u0:1(i64 vmctx, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @003d                               v3 = uextend.i64 v1
;; @003d                               v4 = iadd v0, v3
;; @003d                               v5 = sload8x8 user2 little region0 v4+8
;; @0041                               v6 = bitcast.i8x16 little v5
;; @0041                               return v6
;; }

;; splat
;; function u0:2(i64 vmctx, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @0046                               v3 = uextend.i64 v1
;; @0046                               v4 = iadd v0, v3
;; @0046                               v5 = load.i16 user2 little region0 v4
;; @0046                               v6 = splat.i16x8 v5
;; @004a                               v7 = bitcast.i8x16 little v6
;; @004a                               return v7
;; }

;; zero
;; function u0:3(i64 vmctx, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @004f                               v3 = uextend.i64 v1
;; @004f                               v4 = iadd v0, v3
;; @004f                               v5 = load.i64 user2 little region0 v4
;; @004f                               v6 = scalar_to_vector.i64x2 v5
;; @0053                               v7 = bitcast.i8x16 little v6
;; @0053                               return v7
;; }

;; lane
;; function u0:4(i64 vmctx, i32, i8x16) tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i8x16):
;; @005c                               v3 = uextend.i64 v1
;; @005c                               v4 = iadd v0, v3
;; @005c                               v5 = load.i8 user2 little region0 v4+1
;; @005c                               v6 = insertlane v2, v5, 15
;; @0061                               v7 = bitcast.i32x4 little v6
;; @0061                               v8 = extractlane v7, 2
;; @0061                               v9 = uextend.i64 v1
;; @0061                               v10 = iadd v0, v9
;; @0061                               store user2 little region0 v8, v10+4
;; @0066                               return
;; }

;; past_the_guard
;; function u0:5(i64 vmctx, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i32):
;; @006b                               v3 = uextend.i64 v1
;; @006b                               v4 = iadd v0, v3
;; @006b                               v5 = iconst.i64 0x05f5_e108
;; @006b                               v6 = iadd v3, v5  ; v5 = 0x05f5_e108
;; @006b                               v7 = load.i64 notrap aligned region1 v0-64
;; @006b                               v8 = icmp ugt v6, v7
;; @006b                               trapnz v8, user2
;; @006b                               v9 = iconst.i64 0x05f5_e100
;; @006b                               v10 = iadd v4, v9  ; v9 = 0x05f5_e100
;; @006b                               v11 = iconst.i64 0
;; @006b                               v12 = select_spectre_guard v8, v11, v10  ; v11 = 0
;; @006b                               v13 = uload32x2 user2 little region0 v12
;; @0072                               v14 = bitcast.i8x16 little v13
;; @0072                               return v14
;; }
