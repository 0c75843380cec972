//! Linked instances: what belongs to another is shared, and stays mapped for as long as anybody has its address.

use std::sync::Arc;

use vivarium_artifact::{Setting, TrapKind};
use vivarium_compiler::Policy;
use vivarium_runtime::{Exit, ForeignRequest, Instance, InvokeError, LinkError, LinkedExit, LoadedModule};
use vivarium_tests::engine::{limits, load, pool};

const OWNER: &str = r#"(module
  (memory (export "memory") 1 3) (global (export "counter") (mut i64) (i64.const 40))
  (data (i32.const 8) "*")
  (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u))"#;

const IMPORTER: &str = r#"(module
  (import "owner" "memory" (memory 1)) (import "owner" "counter" (global $counter (mut i64)))
  (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
  (func (export "store") (param i32 i32) local.get 0 local.get 1 i32.store8)
  (func (export "count") (result i64) (global.set $counter (i64.add (global.get $counter) (i64.const 1))) global.get $counter)
  (func (export "grow") (param i32) (result i32) local.get 0 memory.grow))"#;

fn module(wat: &str, setting: Setting) -> Arc<LoadedModule> {
    load(&wat::parse_str(wat).unwrap(), &Policy { linked: true, ..Policy::default() }, setting).unwrap()
}

fn call(instance: &mut Instance, function: u32, arguments: &[u128]) -> Result<u128, TrapKind> {
    instance.invoke(function, arguments).unwrap();
    loop {
        match instance.resume_linked() {
            LinkedExit::Plain(Exit::Done) => return Ok(instance.result(0)),
            LinkedExit::Plain(Exit::Trapped(trap)) => return Err(trap.kind),
            LinkedExit::Plain(Exit::Preempted) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn linked(pool: &vivarium_runtime::Pool, setting: Setting) -> (Instance, Instance) {
    let mut owner = pool.acquire(&module(OWNER, setting), limits()).unwrap();
    let mut importer = pool.acquire(&module(IMPORTER, setting), limits()).unwrap();
    assert_eq!(importer.invoke(0, &[0]), Err(InvokeError::NotLinked));
    importer.link_memory(0, &mut owner, 0).unwrap();
    importer.link_global(0, &mut owner, 0).unwrap();
    (owner, importer)
}

#[test]
fn both_see_what_either_writes_and_end_where_the_owner_does() {
    for setting in [Setting::Fast, Setting::Best] {
        let pool = pool(2);
        let (mut owner, mut importer) = linked(&pool, setting);
        assert_eq!(call(&mut importer, 0, &[8]), Ok(u128::from(b'*')));
        call(&mut importer, 1, &[9, 7]).unwrap();
        assert_eq!(call(&mut owner, 0, &[9]), Ok(7));
        assert_eq!(call(&mut importer, 2, &[]), Ok(41));
        assert_eq!(owner.global(0), 41);
        assert_eq!(call(&mut importer, 0, &[65536]), Err(TrapKind::MemoryOutOfBounds));
        assert_eq!(owner.grow_memory(0, 1), Some(1));
        assert_eq!(call(&mut importer, 0, &[65536]), Ok(0));
        assert_eq!(call(&mut importer, 0, &[u32::MAX.into()]), Err(TrapKind::MemoryOutOfBounds));
    }
}

#[test]
fn an_owner_that_has_ended_stays_mapped_until_its_importer_ends() {
    let pool = pool(2);
    for _ in 0..3 {
        let (owner, mut importer) = linked(&pool, Setting::Fast);
        drop(owner);
        assert_eq!(pool.in_use(), 1);
        assert!(pool.acquire(&module(OWNER, Setting::Fast), limits()).is_err(), "its slot is nobody else's yet");
        call(&mut importer, 1, &[8, 9]).unwrap();
        assert_eq!((call(&mut importer, 0, &[8]), call(&mut importer, 2, &[])), (Ok(9), Ok(41)));
        drop(importer);
    }
    assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
}

/// A pool of two slots would hand out a ready one first: what was linked must not be it.
#[test]
fn a_slot_that_was_linked_begins_anew() {
    let pool = pool(2);
    let (mut owner, mut importer) = linked(&pool, Setting::Fast);
    call(&mut importer, 1, &[8, 9]).unwrap();
    assert_eq!(call(&mut owner, 0, &[8]), Ok(9));
    drop(owner);
    drop(importer);
    let (mut owner, mut importer) = linked(&pool, Setting::Fast);
    assert_eq!((call(&mut owner, 0, &[8]), call(&mut importer, 2, &[])), (Ok(u128::from(b'*')), Ok(41)));
}

#[test]
fn growing_what_is_anothers_is_asked_of_the_embedder() {
    let pool = pool(2);
    let (mut owner, mut importer) = linked(&pool, Setting::Fast);
    importer.invoke(3, &[1]).unwrap();
    let LinkedExit::Foreign(ForeignRequest::MemoryGrow { memory: 0, delta_pages: 1 }) = importer.resume_linked() else {
        panic!("no request")
    };
    importer.answer_foreign(&[owner.grow_memory(0, 1).unwrap().into()]);
    assert_eq!((importer.resume_linked(), importer.result(0)), (LinkedExit::Plain(Exit::Done), 1));
    assert_eq!(call(&mut importer, 0, &[131071]), Ok(0));
}

#[test]
fn what_does_not_fit_is_not_linked() {
    let pool = pool(2);
    let owner = r#"(module (memory 0) (global (mut i32) (i32.const 0)))"#;
    let mut owner = pool.acquire(&module(owner, Setting::Fast), limits()).unwrap();
    let mut importer = pool.acquire(&module(IMPORTER, Setting::Fast), limits()).unwrap();
    assert_eq!(importer.link_memory(0, &mut owner, 0), Err(LinkError::Type), "it is too short");
    assert_eq!(importer.link_global(0, &mut owner, 0), Err(LinkError::Type));
    assert_eq!(importer.link_memory(1, &mut owner, 0), Err(LinkError::Missing));
}

#[test]
#[should_panic(expected = "another instance is linked")]
fn no_slice_of_what_another_may_write_is_handed_out() {
    let pool = pool(2);
    let (owner, _importer) = linked(&pool, Setting::Fast);
    let _ = owner.memory();
}

/// Its data lies where an imported global says, so that an initializer copies it.
const INITIALIZED: &str = r#"(module
  (import "env" "ask" (func $ask (result i32)))
  (import "env" "base" (global $base i32))
  (memory 1)
  (data (global.get $base) "*")
  (func (export "outer") (result i32) (call $ask))
  (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u))"#;

const OUTER: u32 = 1;
const LOAD: u32 = 2;

/// What begins a call looks at the state, the initializer's too: else it would run over the frames of calls below, or in a slot that nobody may run in again.
#[test]
fn an_initializer_begins_no_call_where_an_export_could_not() {
    for setting in [Setting::Fast, Setting::Best] {
        let pool = pool(1);
        let mut instance = pool.acquire(&module(INITIALIZED, setting), limits()).unwrap();
        assert!(instance.module().contract().initializer.is_some(), "else this tests nothing");
        instance.set_global(0, 100);
        assert_eq!(instance.initialize(), Ok(true));
        assert_eq!(instance.initialize(), Err(InvokeError::Busy), "it has begun");
        assert_eq!(instance.resume_linked(), LinkedExit::Plain(Exit::Done));
        assert_eq!(call(&mut instance, LOAD, &[100]), Ok(u128::from(b'*')));

        instance.invoke(OUTER, &[]).unwrap();
        assert_eq!(instance.resume_linked(), LinkedExit::Plain(Exit::Hostcall { import: 0 }));
        instance.invoke(LOAD, &[100]).unwrap();
        assert_eq!((instance.initialize(), instance.depth()), (Err(InvokeError::Busy), 2), "a nested call has begun");
        assert_eq!(instance.resume_linked(), LinkedExit::Plain(Exit::Done));
        assert_eq!(instance.result(0), u128::from(b'*'));
        instance.answer(&[42]);
        assert_eq!(instance.resume_linked(), LinkedExit::Plain(Exit::Done));
        assert_eq!((instance.result(0), instance.depth()), (42, 0), "the outer call's frames are its own");

        instance.spoil();
        assert_eq!(instance.initialize(), Err(InvokeError::Busy), "it can only be dropped");
    }
}
