//! Code that was made for one memory is never served for another whose bounds it does not keep: every pair of plans, in both directions.

use vivarium_artifact::Setting;
use vivarium_compiler::{Policy, compile_cached};

use super::{cache_of, check, relocated};

/// Guarded and checked ones; those that can grow and those that cannot; lengths that an access below is within and beyond.
const MEMORIES: [(&str, &str); 18] = [
    ("1", "i32"),
    ("2", "i32"),
    ("1 1", "i32"),
    ("2 2", "i32"),
    ("1 2", "i32"),
    ("1 3", "i32"),
    ("2 3", "i32"),
    ("i64 1", "i64"),
    ("i64 2", "i64"),
    ("i64 1 1", "i64"),
    ("i64 2 2", "i64"),
    ("i64 1 3", "i64"),
    ("i64 2 3", "i64"),
    ("1 200000 (pagesize 1)", "i32"),
    ("70000 200000 (pagesize 1)", "i32"),
    ("70000 70000 (pagesize 1)", "i32"),
    ("i64 1 200000 (pagesize 1)", "i64"),
    ("i64 70000 200000 (pagesize 1)", "i64"),
];

/// An access within 64 KiB, one beyond, and everything that asks for the length.
fn module((memory, ty): (&str, &str), other: Option<(&str, &str)>) -> Vec<u8> {
    let second =
        other.map(|(memory, ty)| format!("(memory {memory}) (func (param {ty}) (result i32) (i32.load 1 offset=66000 (local.get 0)))"));
    let text = format!(
        r#"(module (memory {memory}) {}
            (func (param {ty}) (result i32) (i32.load (local.get 0)))
            (func (param {ty}) (result i64) (i64.load offset=66000 (local.get 0)))
            (func (param {ty}) (i32.store8 offset=50000000 (local.get 0) (i32.const 1)))
            (func (param {ty}) (result v128) (v128.load offset=4090 (local.get 0)))
            (func (param {ty} {ty}) (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
            (func (param {ty} {ty} {ty}) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
            (func (result {ty}) (memory.size))
            (func (param {ty}) (result {ty}) (memory.grow (local.get 0))))"#,
        second.unwrap_or_default()
    );
    wat::parse_str(text).expect("the test's WAT is right")
}

/// Its linker kept relocations, though there are none: code is made to be shared.
fn relocated(mut wasm: Vec<u8>) -> Vec<u8> {
    relocated::custom(&mut wasm, "reloc.CODE", &[vec![5], relocated::vector(vec![])].concat());
    wasm
}

#[test]
fn no_function_is_served_for_a_memory_of_other_bounds() {
    for setting in [Setting::Fast, Setting::Best] {
        let modules: Vec<Vec<u8>> = MEMORIES.iter().map(|memory| relocated(module(*memory, None))).collect();
        let (mut shared, mut pairs) = (0, 0);
        for (first, one) in MEMORIES.iter().zip(&modules) {
            let cache = cache_of(&[one], setting);
            for (second, other) in MEMORIES.iter().zip(&modules).filter(|(second, _)| *second != first) {
                // With the cache the artifact is the same, byte for byte.
                let (found, _) = check(other, setting, &cache);
                let is_guarded = |memory: &str| !memory.contains("i64") && !memory.contains("pagesize");
                assert!(found == 0 || is_guarded(first.0) && is_guarded(second.0), "{found} of {first:?} serve {second:?}");
                shared += u32::from(found > 0);
                pairs += 1;
            }
        }
        println!("{setting:?}: of {pairs} pairs {shared} share code");
        // One that grows to the same most shares whatever it begins with.
        assert_eq!(shared > 0, setting == Setting::Fast);
    }
}

#[test]
fn nor_beside_another_memory_than_its_own() {
    for (first, second) in [(MEMORIES[0], MEMORIES[4]), (MEMORIES[7], MEMORIES[0]), (MEMORIES[13], MEMORIES[14])] {
        let modules = [None, Some(first), Some(second)].map(|other| relocated(module(MEMORIES[1], other)));
        for one in &modules {
            let cache = cache_of(&[one], Setting::Fast);
            for other in modules.iter().filter(|other| *other != one) {
                assert_eq!(check(other, Setting::Fast, &cache).0, 0, "{first:?}, {second:?}");
            }
        }
    }
}

/// What a bound of the policy would refuse is refused, whoever had it compiled under a larger one.
#[test]
fn what_was_made_under_larger_bounds_is_refused_under_smaller_ones() {
    let tags: String = (0..20).map(|_| "(tag)".to_owned()).collect();
    let clauses: String = (0..20).map(|tag| format!("(catch {tag} 0)")).collect();
    let wasm = wat::parse_str(format!("(module {tags} (func $f) (func (block (try_table {clauses} (call $f)))))")).expect("it is right");
    let large = Policy::default();
    let cache = cache_of(&[&wasm], Setting::Fast);
    for small in [
        Policy { clauses_of_call_max: 19, ..large.clone() },
        Policy { operators_of_function_max: 3, ..large.clone() },
        Policy { code_bytes_max: 100, ..large.clone() },
    ] {
        let [with, without] = [Some(&cache), None]
            .map(|cache| compile_cached(&wasm, &small, Setting::Fast, cache, &|_, _, _| {}).err().map(|e| e.to_string()));
        assert!(with.is_some() && with == without, "{with:?} and {without:?}");
    }
}
