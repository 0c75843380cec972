//! References to functions of a known signature: made by the module, kept in tables and locals that cannot be null, handed in by the host.

use vivarium_artifact::abi::function_reference;
use vivarium_artifact::{ExportedItem, Setting, TrapKind};
use vivarium_runtime::{Instance, InvokeError};
use vivarium_tests::engine::{call, limits, load_wat, pool};

const MODULE: &str = r#"(module
    (type $binary (func (param i32 i32) (result i32)))
    (type $unary (func (param i32) (result i32)))
    (table $full 3 8 (ref $binary) (ref.func $add))
    (elem (table $full) (i32.const 1) (ref $binary) (ref.func $sub))
    (func $add (export "add") (type $binary) (i32.add (local.get 0) (local.get 1)))
    (func $sub (export "sub") (type $binary) (i32.sub (local.get 0) (local.get 1)))
    (func $negate (export "negate") (type $unary) (i32.sub (i32.const 0) (local.get 0)))
    (func (export "by_index") (param i32) (result i32)
        (local $callee (ref $binary))
        (local.set $callee (table.get $full (local.get 0)))
        (call_ref $binary (i32.const 50) (i32.const 8) (local.get $callee)))
    (func (export "grow") (result i32) (table.grow $full (ref.func $sub) (i32.const 5)))
    (func (export "maybe") (param (ref null $binary)) (result i32)
        (block $null
            (return (call_ref $binary (i32.const 7) (i32.const 2) (br_on_null $null (local.get 0)))))
        (i32.const -1))
    (func (export "surely") (param (ref $binary)) (result i32)
        (return_call_ref $binary (i32.const 7) (i32.const 2) (local.get 0)))
    (func (export "null") (result i32) (call_ref $unary (i32.const 1) (ref.null $unary)))
    (func (export "unwrap") (param funcref) (result (ref func)) (ref.as_non_null (local.get 0))))"#;

fn check(test: impl Fn(&mut Instance)) {
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        test(&mut pool.acquire(&load_wat(MODULE, setting), limits()).unwrap());
    }
}

fn function(instance: &Instance, export: &str) -> u32 {
    let Some(ExportedItem::Function(function)) = instance.module().contract().export(export) else { panic!("no export {export}") };
    function
}

fn reference(instance: &Instance, export: &str) -> u128 {
    let function = function(instance, export);
    function_reference(instance.module().contract().function_types[function as usize], function).into()
}

#[test]
fn a_table_begins_with_its_value_and_segments_come_after() {
    check(|instance| {
        let results = [0, 1, 2].map(|index| call(instance, "by_index", &[index]).unwrap()[0]);
        assert_eq!(results, [58, 42, 58]);
        assert_eq!(call(instance, "by_index", &[3]).unwrap_err().kind, TrapKind::TableOutOfBounds);
        assert_eq!(call(instance, "grow", &[]).unwrap(), [3]);
        assert_eq!(call(instance, "by_index", &[7]).unwrap(), [42]);
    });
}

#[test]
fn the_host_hands_in_references_of_the_right_signature_only() {
    check(|instance| {
        let (sub, negate) = (reference(instance, "sub"), reference(instance, "negate"));
        assert_eq!(call(instance, "maybe", &[sub]).unwrap(), [5]);
        assert_eq!(call(instance, "maybe", &[0]).unwrap(), [u128::from(u32::MAX)]);
        assert_eq!(call(instance, "surely", &[sub]).unwrap(), [5]);
        assert_eq!(call(instance, "unwrap", &[negate]).unwrap(), [negate]);
        for (export, wrong) in [("maybe", negate), ("surely", negate), ("surely", 0), ("maybe", sub + 1), ("maybe", sub + (99 << 32))] {
            let function = function(instance, export);
            assert_eq!(instance.invoke(function, &[wrong]), Err(InvokeError::Reference(function)), "{export} {wrong:#x}");
        }
    });
}

#[test]
fn a_null_reference_traps_where_a_function_is_wanted() {
    check(|instance| {
        assert_eq!(call(instance, "null", &[]).unwrap_err().kind, TrapKind::NullReference);
        assert_eq!(call(instance, "unwrap", &[0]).unwrap_err().kind, TrapKind::NullReference);
    });
}
