(module
  (global $v (mut v128) (v128.const i32x4 1 2 3 4))
  (func $local (param v128) (result v128) (local v128)
    local.get 0
    local.get 0
    i32x4.add
    local.tee 1
    local.get 1
    f32x4.mul)
  (func $global (result v128)
    global.get $v
    global.get $v
    i64x2.add
    global.set $v
    global.get $v)
  (func $if (param v128 i32) (result v128)
    local.get 0
    i16x8.neg
    local.get 1
    if (param v128) (result v128)
      f64x2.sqrt
    end)
  (func $table (param v128 i32) (result v128)
    block (result v128)
      block (result v128)
        local.get 0
        i16x8.neg
        local.get 1
        br_table 0 1 0
      end
      i8x16.abs
    end)
  (func $select (param v128 i32) (result v128)
    local.get 0
    i32x4.neg
    local.get 0
    f64x2.neg
    local.get 1
    select)
  (func $call (param v128) (result v128)
    local.get 0
    i32x4.neg
    call $call))

;; local
;; function u0:0(i64 vmctx, i8x16) -> i8x16 tail {
;;     const0 = 0x00000000000000000000000000000000
;;
;;                                 block0(v0: i64, v1: i8x16):
;;                                     v3 = vconst.i8x16 const0
;; @0046                               v4 = bitcast.i32x4 little v1
;; @0046                               v5 = bitcast.i32x4 little v1
;; @0046                               v6 = iadd v4, v5
;; @0049                               v7 = bitcast.i8x16 little v6
;; @004d                               v8 = bitcast.f32x4 little v7
;; @004d                               v9 = bitcast.f32x4 little v7
;; @004d                               v10 = fmul v8, v9
;; @0050                               v11 = bitcast.i8x16 little v10
;; @0050                               return v11
;; }

;; global
;; function u0:1(i64 vmctx) -> i8x16 tail {
;;
;;                                 block0(v0: i64):
;; @0053                               v2 = load.i8x16 notrap aligned region3 v0-16
;; @0055                               v3 = load.i8x16 notrap aligned region3 v0-16
;; @0057                               v4 = bitcast.i64x2 little v2
;; @0057                               v5 = bitcast.i64x2 little v3
;; @0057                               v6 = iadd v4, v5
;; @005a                               v7 = bitcast.i8x16 little v6
;; @005a                               store notrap aligned region3 v7, v0-16
;; @005c                               v8 = load.i8x16 notrap aligned region3 v0-16
;; @005e                               return v8
;; }

;; if
;; function u0:2(i64 vmctx, i8x16, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i32):
;; @0063                               v4 = bitcast.i16x8 little v1
;; @0063                               v5 = ineg v4
;; @0068                               v6 = bitcast.i8x16 little v5
;; @0068                               brif v2, block2, block3
;;
;;                                 block2:
;; @006a                               v8 = bitcast.f64x2 little v6
;; @006a                               v9 = sqrt v8
;; @006d                               v10 = bitcast.i8x16 little v9
;; @006d                               jump block4(v10)
;;
;;                                 block3:
;; @006d                               jump block4(v6)
;;
;;                                 block4(v7: i8x16):
;; @006e                               return v7
;; }

;; table
;; function u0:3(i64 vmctx, i8x16, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i32):
;; @0077                               v6 = bitcast.i16x8 little v1
;; @0077                               v7 = ineg v6
;; @007c                               v8 = bitcast.i8x16 little v7
;; @007c                               br_table v2, block4, [block4, block5]
;;
;;                                 block4:
;; @007c                               jump block3(v8)
;;
;;                                 block5:
;; @007c                               jump block2(v8)
;;
;;                                 block3(v5: i8x16):
;; @0082                               v9 = iabs v5
;; @0084                               jump block2(v9)
;;
;;                                 block2(v4: i8x16):
;; @0085                               return v4
;; }

;; select
;; function u0:4(i64 vmctx, i8x16, i32) -> i8x16 tail {
;;
;;                                 block0(v0: i64, v1: i8x16, v2: i32):
;; @008a                               v4 = bitcast.i32x4 little v1
;; @008a                               v5 = ineg v4
;; @008f                               v6 = bitcast.f64x2 little v1
;; @008f                               v7 = fneg v6
;; @0094                               v8 = bitcast.i8x16 little v5
;; @0094                               v9 = bitcast.i8x16 little v7
;; @0094                               v10 = select v2, v8, v9
;; @0095                               return v10
;; }

;; call
;; function u0:5(i64 vmctx, i8x16) -> i8x16 tail {
;;     sig0 = (i64 vmctx, i8x16) -> i8x16 tail
;;     fn0 = colocated u0:5 sig0
;;
;;                                 block0(v0: i64, v1: i8x16):
;; @009a                               v3 = bitcast.i32x4 little v1
;; @009a                               v4 = ineg v3
;; @009d                               v5 = bitcast.i8x16 little v4
;; @009d                               v6 = call fn0(v0, v5)
;; @009f                               return v6
;; }
