(module
  (elem declare func $itself)
  (func $itself (result funcref)
    (ref.func $itself))
  (func $is_null (param externref) (result i32)
    (ref.is_null (local.get 0)))
  (func $select (param i32 funcref) (result funcref)
    (select (result funcref) (local.get 1) (ref.null func) (local.get 0)))
  (func $as_non_null (param externref) (result (ref extern))
    (ref.as_non_null (local.get 0)))
  (func $br_on_null (param externref i32) (result i32)
    (block $null (result i32)
      (drop (br_on_null $null (local.get 1) (local.get 0)))
      (i32.add (i32.const 1))))
  (func $br_on_non_null (param externref) (result (ref null extern))
    (local $kept (ref extern))
    (block $some (result (ref extern))
      (br_on_non_null $some (local.get 0))
      (return (ref.null extern)))
    (local.set $kept)
    (local.get $kept)))

;; itself
;; function u0:0(i64 vmctx) -> i64 tail {
;;
;;                                 block0(v0: i64):
;; @0040                               v2 = iconst.i64 1
;; @0042                               return v2  ; v2 = 1
;; }

;; is_null
;; function u0:1(i64 vmctx, i64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0047                               v3 = iconst.i64 0
;; @0047                               v4 = icmp eq v1, v3  ; v3 = 0
;; @0047                               v5 = uextend.i32 v4
;; @0048                               return v5
;; }

;; select
;; function u0:2(i64 vmctx, i32, i64) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @004d                               v4 = iconst.i64 0
;; @0051                               v5 = select v1, v2, v4  ; v4 = 0
;; @0054                               return v5
;; }

;; as_non_null
;; function u0:3(i64 vmctx, i64) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0059                               trapz v1, user10
;; @005a                               return v1
;; }

;; br_on_null
;; function u0:4(i64 vmctx, i64, i32) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64, v2: i32):
;; @0063                               v5 = iconst.i64 0
;; @0063                               v6 = icmp eq v1, v5  ; v5 = 0
;; @0063                               brif v6, block2(v2), block3
;;
;;                                 block3:
;; @0066                               v7 = iconst.i32 1
;; @0068                               v8 = iadd.i32 v2, v7  ; v7 = 1
;; @0069                               jump block2(v8)
;;
;;                                 block2(v4: i32):
;; @006a                               return v4
;; }

;; br_on_non_null
;; function u0:5(i64 vmctx, i64) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;;                                     v3 = iconst.i64 0
;; @0075                               brif v1, block2(v1), block3
;;
;;                                 block3:
;; @0077                               v5 = iconst.i64 0
;; @0079                               return v5  ; v5 = 0
;;
;;                                 block2(v4: i64):
;; @007f                               return v4
;; }
