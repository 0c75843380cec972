(module
  (elem declare func $itself)
  (func $itself (result funcref)
    (ref.func $itself))
  (func $is_null (param externref) (result i32)
    (ref.is_null (local.get 0)))
  (func $select (param i32 funcref) (result funcref)
    (select (result funcref) (local.get 1) (ref.null func) (local.get 0))))

;; itself
;; function u0:0(i64 vmctx) -> i64 tail {
;;
;;                                 block0(v0: i64):
;; @002c                               v2 = iconst.i64 1
;; @002e                               return v2  ; v2 = 1
;; }

;; is_null
;; function u0:1(i64 vmctx, i64) -> i32 tail {
;;
;;                                 block0(v0: i64, v1: i64):
;; @0033                               v3 = iconst.i64 0
;; @0033                               v4 = icmp eq v1, v3  ; v3 = 0
;; @0033                               v5 = uextend.i32 v4
;; @0034                               return v5
;; }

;; select
;; function u0:2(i64 vmctx, i32, i64) -> i64 tail {
;;
;;                                 block0(v0: i64, v1: i32, v2: i64):
;; @0039                               v4 = iconst.i64 0
;; @003d                               v5 = select v1, v2, v4  ; v4 = 0
;; @0040                               return v5
;; }
