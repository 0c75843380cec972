//! The profiler tells where a guest spends its time, whatever that guest does, and what it did not see.

use std::collections::BTreeMap;

use vivarium_artifact::{ExportedItem, Setting};
use vivarium_runtime::{Exit, Instance, Profile};
use vivarium_tests::engine::{limits, load_wat, pool};

/// `hot` counts down nine times as far as `cold`, both in the same function, in turns far shorter than a tick; `fill` writes by a stub that has no frame.
const MODULE: &str = r#"(module (memory 16)
    (func $count (param $n i32) (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func $hot (call $count (i32.const 9000)))
    (func $cold (call $count (i32.const 1000)))
    (func $fill (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)))
    (func (export "work") (loop (call $hot) (call $cold) (br 0)))
    (func (export "fills") (loop (call $fill) (br 0)))
    (func $deep (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (loop (br 0)) (i32.const 0))))
    (func (export "bottom") (drop (call $deep (i32.const 1000)))))"#;

fn begin(instance: &mut Instance, export: &str) {
    let Some(ExportedItem::Function(function)) = instance.module().contract().export(export) else { panic!("no export {export}") };
    instance.invoke(function, &[]).unwrap();
}

/// Runs an export that never ends until so many samples were taken.
fn profiled(export: &str, setting: Setting, samples: u64) -> Profile {
    let pool = pool(1);
    let module = load_wat(MODULE, setting);
    let mut profile = Profile::new(&module);
    let mut instance = pool.acquire(&module, limits()).unwrap();
    instance.profile(Some(&profile));
    begin(&mut instance, export);
    while profile.taken() < samples {
        assert_eq!(instance.resume(), Exit::Preempted);
        profile.collect();
    }
    assert_eq!(profile.lost(), 0);
    profile
}

/// In how many samples each of these functions was on the stack.
fn seen(profile: &Profile) -> BTreeMap<String, u64> {
    let mut seen = BTreeMap::new();
    for stack in profile.stacks() {
        let mut functions: Vec<&str> = stack.frames.iter().map(|frame| frame.function.as_str()).collect();
        functions.sort_unstable();
        functions.dedup();
        functions.into_iter().for_each(|function| *seen.entry(function.to_owned()).or_default() += stack.samples);
    }
    seen
}

#[test]
fn callers_have_the_shares_of_their_work() {
    const SAMPLES: u64 = 400;
    for setting in [Setting::Fast, Setting::Best] {
        let profile = profiled("work", setting, SAMPLES);
        let (seen, taken) = (seen(&profile), profile.taken());
        let share = |function: &str| seen.get(function).copied().unwrap_or(0) as f64 / taken as f64;
        assert_eq!(share("work"), 1.0, "{seen:?}");
        assert!(share("count") > 0.97, "the work is there: {seen:?}");
        assert!(share("hot") > 0.75 && share("cold") > 0.02, "nine parts of ten and one: {seen:?}");
        let innermost = profile.stacks().into_iter().max_by_key(|stack| stack.samples).unwrap();
        let functions: Vec<&str> = innermost.frames.iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!(functions, ["count", "hot", "work"]);
        assert!(innermost.frames.iter().all(|frame| frame.wasm_offset.is_some()));
    }
}

#[test]
fn a_bulk_operation_counts_for_the_function_that_asked_for_it() {
    for setting in [Setting::Fast, Setting::Best] {
        let profile = profiled("fills", setting, 100);
        let seen = seen(&profile);
        assert_eq!((seen.get("fill"), seen.get("fills")), (Some(&profile.taken()), Some(&profile.taken())), "{seen:?}");
    }
}

#[test]
fn deep_stacks_are_told_by_their_innermost_part() {
    let profile = profiled("bottom", Setting::Best, 20);
    for stack in profile.stacks() {
        assert_eq!(stack.frames.len(), vivarium_runtime::samples::SAMPLE_FRAMES_MAX);
        assert!(stack.frames.iter().all(|frame| frame.function == "deep"));
    }
}

#[test]
fn what_nobody_collects_is_counted_and_told() {
    let pool = pool(1);
    let module = load_wat(MODULE, Setting::Fast);
    let mut profile = Profile::with_room_for(&module, 10);
    let mut instance = pool.acquire(&module, limits()).unwrap();
    instance.profile(Some(&profile));
    begin(&mut instance, "bottom");
    while profile.lost() < 5 {
        assert_eq!(instance.resume(), Exit::Preempted);
    }
    profile.collect();
    assert_eq!(profile.taken(), 10);
    instance.profile(None);
    let lost = profile.lost();
    (0..20).for_each(|_| assert_eq!(instance.resume(), Exit::Preempted));
    profile.collect();
    assert_eq!((profile.taken(), profile.lost()), (10, lost), "it is off");
}
