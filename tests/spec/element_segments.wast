;; Passive element segments whose items depend on imported globals.

(module $owner
  (func $seven (result i32) i32.const 7)
  (global (export "seven") funcref (ref.func $seven))
  (table (export "table") 4 funcref))
(register "owner" $owner)

(module
  (import "owner" "seven" (global $seven funcref))
  (import "owner" "table" (table $theirs 4 funcref))
  (table $own 4 funcref)
  (func $one (result i32) i32.const 1)
  (elem $items funcref (ref.func $one) (global.get $seven) (ref.null func) (global.get $seven))
  (func (export "init own") (param i32 i32 i32) (table.init $own $items (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init theirs") (param i32 i32 i32) (table.init $theirs $items (local.get 0) (local.get 1) (local.get 2)))
  (func (export "drop") (elem.drop $items))
  (func (export "call own") (param i32) (result i32) (call_indirect $own (result i32) (local.get 0)))
  (func (export "call theirs") (param i32) (result i32) (call_indirect $theirs (result i32) (local.get 0))))

(assert_return (invoke "init own" (i32.const 1) (i32.const 0) (i32.const 3)))
(assert_trap (invoke "call own" (i32.const 0)) "uninitialized element")
(assert_return (invoke "call own" (i32.const 1)) (i32.const 1))
(assert_return (invoke "call own" (i32.const 2)) (i32.const 7))
(assert_trap (invoke "call own" (i32.const 3)) "uninitialized element")

(assert_return (invoke "init theirs" (i32.const 0) (i32.const 3) (i32.const 1)))
(assert_return (invoke "init theirs" (i32.const 1) (i32.const 0) (i32.const 1)))
(assert_return (invoke "call theirs" (i32.const 0)) (i32.const 7))
(assert_return (invoke "call theirs" (i32.const 1)) (i32.const 1))
(assert_trap (invoke "call theirs" (i32.const 2)) "uninitialized element")

(assert_trap (invoke "init own" (i32.const 1) (i32.const 0) (i32.const 4)) "out of bounds table access")
(assert_trap (invoke "init own" (i32.const 0) (i32.const 1) (i32.const 4)) "out of bounds table access")
(assert_return (invoke "drop"))
(assert_trap (invoke "init own" (i32.const 0) (i32.const 1) (i32.const 1)) "out of bounds table access")
(assert_return (invoke "init own" (i32.const 0) (i32.const 0) (i32.const 0)))
(assert_trap (invoke "call own" (i32.const 0)) "uninitialized element")
