//! The request that benches and tests of reset share: a guest that writes to a number of pages and computes something that only a pristine instance gives.

use std::sync::Arc;

use vivarium_artifact::{ExportedItem, Setting};
use vivarium_runtime::{Exit, Instance, InstanceLimits, LoadedModule, Pool};

use crate::engine::load_wat;

/// What a global and every byte of data begin with.
const GLOBAL: u32 = 5;
const DATA: u32 = 0x0707_0707;

/// A module of so many pages of memory, with so many bytes of data, whose `run(x, k)` writes to k pages, one word each, and to a global.
pub fn wat(memory_pages: u32, data_bytes: u32) -> String {
    let data = "\\07".repeat(data_bytes as usize);
    format!(
        r#"(module (memory (export "memory") {memory_pages} 2048) (global $g (mut i32) (i32.const {GLOBAL})) (data (i32.const 0) "{data}")
        (func (export "run") (param $x i32) (param $k i32) (result i32) (local $p i32)
            (block $end (loop $next
                (br_if $end (i32.eqz (local.get $k)))
                (i32.store offset=128 (local.get $p) (i32.add (i32.load offset=1024 (local.get $p)) (local.get $x)))
                (local.set $p (i32.add (local.get $p) (i32.const 4096)))
                (local.set $k (i32.sub (local.get $k) (i32.const 1)))
                (br $next)))
            (global.set $g (i32.add (global.get $g) (local.get $x)))
            (i32.add (global.get $g) (i32.load offset=128 (i32.const 0))))
        (func (export "grow") (param $x i32) (param $k i32) (result i32)
            (i32.store (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)) (local.get $x))
            (memory.size)))"#
    )
}

/// The module, loaded, and its function of this name.
#[derive(Debug)]
pub struct Requests {
    pub module: Arc<LoadedModule>,
    function: u32,
}

impl Requests {
    pub fn new(memory_pages: u32, data_bytes: u32, function: &str) -> Requests {
        let module = load_wat(&wat(memory_pages, data_bytes), Setting::Best);
        let Some(ExportedItem::Function(function)) = module.contract().export(function) else { panic!("no function {function}") };
        Requests { module, function }
    }

    /// One request: instance, call, reset. Returns what the guest computed.
    pub fn serve(&self, pool: &Pool, x: u32, pages: u32) -> u32 {
        let mut instance = pool.acquire(&self.module, InstanceLimits { memory_bytes_max: 128 << 20 }).expect("there are slots");
        self.finish(&mut instance, x, pages)
    }

    /// Calls the function in this instance and waits for its end. Returns what the guest computed.
    pub fn finish(&self, instance: &mut Instance, x: u32, pages: u32) -> u32 {
        instance.invoke(self.function, &[x.into(), pages.into()]).expect("the call can begin");
        loop {
            match instance.resume() {
                Exit::Done => return instance.result(0) as u32,
                Exit::Preempted => {}
                other => panic!("the guest neither traps nor imports anything: {other:?}"),
            }
        }
    }

    /// What `run(x, pages)` computes in an instance that begins with the image, where data covers the first page.
    pub fn expected(x: u32, pages: u32) -> u32 {
        let stored = if pages > 0 { DATA.wrapping_add(x) } else { DATA };
        GLOBAL.wrapping_add(x).wrapping_add(stored)
    }
}
