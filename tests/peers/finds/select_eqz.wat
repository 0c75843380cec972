;; wasmi 2.0.0 gave the other operand in each of these; ours and Wasmtime were right. Seeds 49 and 3622.
(module
    (func (export "i32") (param i32) (result i32) (select (i32.const 7) (local.get 0) (i32.eqz (local.get 0))))
    (func (export "i64") (param i64) (result i64) (select (i64.const 7) (local.get 0) (i64.eqz (local.get 0))))
    (func (export "funcref") (param funcref i32) (result i32) (select (i32.const 7) (local.get 1) (ref.is_null (local.get 0)))))
