//! The cache of functions: with it and without it the artifact is the same, whatever was compiled before; and what should be found is found.

mod calls;
mod memories;
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
    assert!(with.artifact == without.artifact, "with the cache it is another artifact");
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
    let kinds = [relocated::TABLE_INDEX_SLEB, relocated::MEMORY_ADDRESS_LEB, relocated::MEMORY_ADDRESS_SLEB];
    let everywhere = (0..200).flat_map(|place| kinds.map(|kind| relocated::relocation(kind, place))).collect();
    relocated::custom(&mut wasm, "reloc.CODE", &[vec![7], relocated::vector(everywhere)].concat());
    let cache = cache_of(&[&module(PROGRAM, true), &module(OTHER, true)], Setting::Fast);
    assert!(check(&wasm, Setting::Fast, &cache).0 > 0, "it is read: what is marked rightly is among it");
    for damage in length..wasm.len() {
        let mut damaged = wasm.clone();
        damaged[damage] ^= 0x55;
        // It may have become a module that is refused, but that a cache never decides.
        let compiled = |cache| compile_cached(&damaged, &Policy::default(), Setting::Fast, cache, &|_, _, _| {});
        match (compiled(Some(&cache)), compiled(None)) {
            (Ok(with), Ok(without)) => assert!(with.artifact == without.artifact, "damaged at {damage}"),
            (with, without) => assert_eq!(with.err(), without.err()),
        }
    }
}

/// Marks on what is no immediate of five bytes: were they taken out of the key, a load and a constant would be the same.
#[test]
fn bodies_that_differ_in_what_is_marked_wrongly_do_not_share_code() {
    // The trampoline of `memory.grow`, which all of them have.
    const GROW: u32 = 1;
    let (loads, constants): ([u8; 5], [u8; 5]) = ([0x28, 0x02, 0x80, 0x80, 0x00], [0x41, 0x80, 0x80, 0x80, 0x40]);
    let (nops, drops) = ([0x01, 0x01, 0x01, 0x41, 0x05], [0x1a, 0x01, 0x01, 0x41, 0x05]);
    let body = |first: [u8; 5], second: [u8; 5]| [&[0, 0x41, 0][..], &first, &second, &[0x6a, 0x0b]].concat();
    for places in [&[3, 8][..], &[3], &[8], &[1, 2, 4, 5, 6, 7, 9]] {
        let bodies = [(loads, nops), (constants, drops)].map(|(first, second)| relocated::marked(&body(first, second), places));
        for [one, other] in [[0, 1], [1, 0]] {
            let cache = cache_of(&[&bodies[one]], Setting::Fast);
            assert_eq!(check(&bodies[other], Setting::Fast, &cache), (GROW, 1), "marked at {places:?}");
        }
    }
    // The alignment of an access may be padded: what follows it is the offset, and no mark makes it part of that.
    for align in [&[0x02][..], &[0x82, 0x00], &[0x82, 0x80, 0x00]] {
        let body = |offset: u8| [&[0, 0x41, 0, 0x28][..], align, &[offset | 0x80, 0x80, 0x80, 0x80, 0x00, 0x0b]].concat();
        let place = 4 + align.len();
        let cache = cache_of(&[&relocated::marked(&body(8), &[place])], Setting::Fast);
        assert_eq!(check(&relocated::marked(&body(16), &[place]), Setting::Fast, &cache), (GROW + 1, 0), "this one is an address");
        assert_eq!(check(&relocated::marked(&body(16), &[place - 1]), Setting::Fast, &cache), (GROW, 1), "and this is none");
    }
}

/// `i32.const 0`, a vector load with this offset, `i32x4.extract_lane 0`; and where the offset is.
fn vector_load(load: &VectorLoad, offset: u8, lane: u8) -> (Vec<u8>, usize) {
    let mut body = vec![0, 0x41, 0];
    if load.of_lane {
        // v128.const
        body.extend([0xfd, 0x0c]);
        body.extend([0; 16]);
    }
    body.extend(load.opcode);
    // The alignment.
    body.push(2);
    let place = body.len();
    body.extend([offset | 0x80, 0x80, 0x80, 0x80, 0x00]);
    if load.of_lane {
        body.push(lane);
    }
    body.extend([0xfd, 0x1b, 0, 0x0b]);
    (body, place)
}

struct VectorLoad {
    opcode: &'static [u8],
    of_lane: bool,
}

const VECTOR_LOADS: [VectorLoad; 4] = [
    // v128.load32_splat, the same with its opcode padded, v128.load32_lane, v128.load64_zero.
    VectorLoad { opcode: &[0xfd, 0x09], of_lane: false },
    VectorLoad { opcode: &[0xfd, 0x89, 0x80, 0x00], of_lane: false },
    VectorLoad { opcode: &[0xfd, 0x56], of_lane: true },
    VectorLoad { opcode: &[0xfd, 0x5d], of_lane: false },
];

#[test]
fn vector_loads_from_other_addresses_share_code() {
    const GROW: u32 = 1;
    for load in &VECTOR_LOADS {
        let marked = |offset, lane| {
            let (body, place) = vector_load(load, offset, lane);
            relocated::marked(&body, &[place])
        };
        let cache = cache_of(&[&marked(8, 0)], Setting::Fast);
        assert_eq!(check(&marked(16, 0), Setting::Fast, &cache), (GROW + 1, 0), "{:x?}", load.opcode);
        if load.of_lane {
            assert_eq!(check(&marked(16, 3), Setting::Fast, &cache), (GROW, 1), "the lane is no part of the address");
        }
    }
}

#[test]
fn vector_loads_that_are_marked_wrongly_are_their_own() {
    const GROW: u32 = 1;
    for load in &VECTOR_LOADS {
        let (body, right) = vector_load(load, 8, 0);
        let (other, _) = vector_load(load, 16, 1);
        for wrong in (1..body.len()).filter(|place| *place != right) {
            let cache = cache_of(&[&relocated::marked(&body, &[wrong])], Setting::Fast);
            assert_eq!(check(&relocated::marked(&other, &[wrong]), Setting::Fast, &cache), (GROW, 1), "{:x?}, {wrong}", load.opcode);
        }
        let everywhere: Vec<usize> = (1..body.len()).collect();
        let cache = cache_of(&[&relocated::marked(&body, &everywhere)], Setting::Fast);
        let shared = if load.of_lane { (GROW, 1) } else { (GROW + 1, 0) };
        assert_eq!(check(&relocated::marked(&other, &everywhere), Setting::Fast, &cache), shared, "{:x?}", load.opcode);
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
