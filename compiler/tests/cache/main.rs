//! The cache of functions: with it and without it the artifact is the same, whatever was compiled before; and what should be found is found.

mod relocated;

use std::sync::Arc;

use relocated::{PROGRAM, Program, module};
use vivarium_artifact::Setting;
use vivarium_compiler::{Compiled, FunctionCache, Pack, PackBounds, Policy, compile_cached};

const BOUNDS: PackBounds = PackBounds { entries_max: 1000, bytes_max: 1 << 20 };

fn compile(wasm: &[u8], setting: Setting, cache: Option<&FunctionCache>) -> Compiled {
    compile_cached(wasm, &Policy::default(), setting, cache, &|_, _, _| {}).unwrap()
}

/// A cache with all that compiling these modules makes.
fn cache_of(modules: &[&[u8]], setting: Setting) -> FunctionCache {
    let mut cache = FunctionCache::default();
    for wasm in modules {
        let made = compile(wasm, setting, Some(&cache)).cache;
        let pack = cache.updated(&made, BOUNDS).expect("something was made");
        cache.own = Arc::new(Pack::read(pack.bytes().to_vec()).expect("it is sound"));
    }
    cache
}

/// Compiles with the cache and without; the artifacts must be equal. How many functions were found, and not found.
fn check(wasm: &[u8], setting: Setting, cache: &FunctionCache) -> (u32, u32) {
    let (with, without) = (compile(wasm, setting, Some(cache)), compile(wasm, setting, None));
    assert_eq!(with.artifact, without.artifact);
    (with.cache.found, with.cache.functions - with.cache.found)
}

/// Other functions, types, globals, a longer table, and the same function at other addresses.
const OTHER: Program = Program { others: 70, address: 40_000, offset: 300, ..PROGRAM };

#[test]
fn another_program_has_the_code_of_a_function_that_both_contain() {
    let cache = cache_of(&[&module(PROGRAM, true)], Setting::Fast);
    // Of 72 functions: the first of the others, whose constant is the same, the shared one, the trampoline of `table.grow` and others like it.
    let (found, missing) = check(&module(OTHER, true), Setting::Fast, &cache);
    assert_eq!(missing, 70, "the others of the second program; {found} found");
    assert_eq!(check(&module(Program { constant: 8, ..OTHER }, true), Setting::Fast, &cache), (found - 1, 71), "it says something else");
}

#[test]
fn the_same_program_has_all_of_its_code() {
    for setting in [Setting::Fast, Setting::Best] {
        for relocations in [true, false] {
            let wasm = module(OTHER, relocations);
            let cache = cache_of(&[&wasm], setting);
            assert_eq!(check(&wasm, setting, &cache).1, 0, "{setting:?}, relocations: {relocations}");
        }
    }
}

#[test]
fn without_relocations_only_the_edited_function_is_compiled() {
    for (setting, relocations) in [(Setting::Fast, false), (Setting::Best, false), (Setting::Best, true)] {
        let cache = cache_of(&[&module(OTHER, relocations)], setting);
        assert_eq!(check(&module(Program { constant: 8, ..OTHER }, relocations), setting, &cache).1, 1, "{setting:?}");
        assert_eq!(check(&module(Program { others: 71, ..OTHER }, relocations), setting, &cache).0, 0, "it declares something else");
    }
}

#[test]
fn no_setting_has_the_code_of_another() {
    let wasm = module(PROGRAM, true);
    assert_eq!(check(&wasm, Setting::Best, &cache_of(&[&wasm], Setting::Fast)).0, 0);
    assert_eq!(check(&wasm, Setting::Fast, &cache_of(&[&wasm], Setting::Best)).0, 0);
}

#[test]
fn an_offset_past_the_guard_is_compiled_for_its_module_alone() {
    let far = Program { offset: (32 << 20) + 1, ..PROGRAM };
    let near = Program { offset: (32 << 20) - 16, ..PROGRAM };
    let cache = cache_of(&[&module(PROGRAM, true)], Setting::Fast);
    assert_eq!(check(&module(near, true), Setting::Fast, &cache).1, 0, "the guard catches what is just before its end");
    assert_eq!(check(&module(far, true), Setting::Fast, &cache).1, 1, "of this one the code would have no check");
    let cache = cache_of(&[&module(far, true)], Setting::Fast);
    assert_eq!(check(&module(PROGRAM, true), Setting::Fast, &cache).1, 1, "nor is its code served to others");
    assert_eq!(check(&module(far, true), Setting::Fast, &cache).1, 0);
}

#[test]
fn relocations_that_lie_change_nothing() {
    let mut wasm = module(PROGRAM, false);
    let length = wasm.len();
    let everywhere = (0..200).flat_map(|place| [1, 3, 4].map(|kind| relocated::relocation(kind, place))).collect();
    relocated::custom(&mut wasm, "reloc.CODE", &[vec![7], relocated::vector(everywhere)].concat());
    let cache = cache_of(&[&module(PROGRAM, true), &module(OTHER, true)], Setting::Fast);
    check(&wasm, Setting::Fast, &cache);
    for damage in length..wasm.len() {
        let mut damaged = wasm.clone();
        damaged[damage] ^= 0x55;
        // It may have become a module that is refused, but that a cache never decides.
        let compiled = |cache| compile_cached(&damaged, &Policy::default(), Setting::Fast, cache, &|_, _, _| {});
        match (compiled(Some(&cache)), compiled(None)) {
            (Ok(with), Ok(without)) => assert_eq!(with.artifact, without.artifact),
            (with, without) => assert_eq!(with.err(), without.err()),
        }
    }
}

#[test]
fn entries_that_make_no_sense_are_as_good_as_absent() {
    let wasm = module(PROGRAM, true);
    let sound = cache_of(&[&wasm], Setting::Fast);
    let damaged: Vec<_> = sound.own.entries().map(|(key, entry)| (key, entry[..entry.len() / 2].to_vec())).collect();
    let pack = Pack::of(damaged.iter().map(|(key, entry)| (*key, &entry[..])), BOUNDS);
    let cache = FunctionCache { shared: Arc::new(pack), own: Arc::default() };
    assert_eq!(check(&wasm, Setting::Fast, &cache).0, 0);
}

#[test]
fn what_is_used_stays_and_what_is_not_makes_room() {
    let (first, second) = (module(PROGRAM, true), module(OTHER, true));
    let cache = cache_of(&[&first], Setting::Fast);
    let made = compile(&second, Setting::Fast, Some(&cache)).cache;
    let all = cache.updated(&made, BOUNDS).unwrap();
    let small = cache.updated(&made, PackBounds { entries_max: 71, ..BOUNDS }).unwrap();
    assert!(all.len() > 71 && small.len() == 71);
    let served = FunctionCache { shared: Arc::default(), own: Arc::new(small) };
    assert_eq!(check(&second, Setting::Fast, &served).0, 71);
    assert!(served.updated(&compile(&first, Setting::Fast, None).cache, BOUNDS).is_none(), "nothing was made for a cache");
}
