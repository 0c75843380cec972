//! Whatever the bytes, the compiler answers: an artifact or a sentence, never a panic.

use vivarium_artifact::Setting;
use vivarium_compiler::{Policy, compile};

/// A module with every kind of section, in which most single changes matter.
const MODULE: &str = r#"
(module $everything
  (type $binary (func (param i32 i64) (result i32)))
  (memory (export "memory") 2 5)
  (table $table (export "table") 3 9 funcref)
  (table $externs 2 externref)
  (global $counter (mut i32) (i32.add (i32.const 3) (i32.const 4)))
  (global $reference funcref (ref.func $first))
  (data (i32.const 8) "active")
  (data $passive "passive")
  (elem (i32.const 1) func $first)
  (elem $references funcref (ref.null func) (ref.func $first))
  (start $start)
  (func $first (export "first") (type $binary)
    (local f32 f64)
    block (result i32)
      local.get 0
      if (result i32)
        local.get 1
        i32.wrap_i64
        br 1
      else
        i32.const 5
      end
      i32.load offset=100000000
    end
    loop (param i32) (result i32)
      i32.const 1
      i32.sub
      local.tee 0
      local.get 0
      br_if 0
    end)
  (func $second (param i32 i32 i32) (result i64 f64)
    local.get 0
    local.get 1
    local.get 2
    memory.init $passive
    data.drop $passive
    local.get 0
    local.get 1
    local.get 2
    table.init $table $references
    block
      block
        local.get 0
        br_table 0 1 0 1
      end
    end
    local.get 0
    i64.const 7
    local.get 0
    call_indirect $table (type $binary)
    i64.extend_i32_s
    f64.const 1.5
    f64.sqrt)
  (func $start
    global.get $counter
    global.set $counter))
"#;

/// Changes tried, each on the module as it is: enough for every byte to change several times.
const MUTATIONS: u64 = 6_000;

fn wasm() -> Vec<u8> {
    wat::parse_str(MODULE).expect("the test's module is right")
}

/// Tight limits, so that a mutated size costs no time.
fn try_compile(bytes: &[u8]) -> bool {
    let policy = Policy { image_bytes_max: 1 << 20, operators_of_function_max: 10_000, ..Policy::default() };
    match compile(bytes, &policy, Setting::Fast, &|_, _, _| {}) {
        Ok(compiled) => {
            compiled.artifact.encode().expect("what compiles can be encoded");
            true
        }
        Err(error) => {
            assert!(!error.to_string().contains("code generator"), "{error}");
            false
        }
    }
}

#[test]
fn the_module_as_it_is_compiles() {
    assert!(try_compile(&wasm()));
}

#[test]
fn truncated_modules_are_refused() {
    let wasm = wasm();
    // What is cut off last is the name section, which is never a reason to refuse.
    let refused = (0..wasm.len()).filter(|len| !try_compile(&wasm[..*len])).count();
    assert!(refused > wasm.len() / 2, "{refused} of {}", wasm.len());
}

#[test]
fn mutated_modules_are_compiled_or_refused() {
    let wasm = wasm();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut compiled = 0;
    for _ in 0..MUTATIONS {
        let mut mutated = wasm.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(mutated.len() as u64) as usize;
            match random.below(4) {
                0 => mutated[at] = random.next() as u8,
                1 => mutated[at] ^= 1 << random.below(8),
                2 => mutated.insert(at, random.next() as u8),
                _ => drop(mutated.remove(at)),
            }
        }
        compiled += usize::from(try_compile(&mutated));
    }
    assert!(compiled > 100, "only {compiled} mutations left the module valid: the others test the validator alone");
}

/// Splitmix64: the same sequence in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[test]
fn deep_nesting_and_long_tables_are_no_recursion_and_no_blow_up() {
    let deep = format!("(module (func {} {}))", "block ".repeat(20_000), "end ".repeat(20_000));
    assert!(try_compile(&wat::parse_str(deep).unwrap()) || Policy::default().operators_of_function_max > 10_000);
    let many: String = "i32 ".repeat(200);
    let table = "0 ".repeat(5_000);
    let zeros = "i32.const 0 ".repeat(201);
    let long = format!("(module (func (result {many}) (block (result {many}) {zeros} br_table {table} 0)))");
    assert!(try_compile(&wat::parse_str(long).unwrap()));
}
