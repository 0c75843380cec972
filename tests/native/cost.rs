//! Compiling takes memory in proportion to the size of a function. Counted is what is allocated on the way, which whoever copies, searches into a list or
//! grows a graph allocates too: no clock is asked, so the count is the same on a busy machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use vivarium_artifact::Setting;
use vivarium_compiler::{Policy, compile};
use vivarium_tests::large::Shape;

/// Operators of a function. Above 200,000 nothing is optimised: `best` is `fast` there.
const SIZES: [(Setting, &[usize]); 2] = [(Setting::Fast, &[1_000, 10_000, 100_000, 1_000_000]), (Setting::Best, &[1_000, 10_000, 100_000])];
/// How many times as much an operator of the largest function may cost as one of the smallest.
const PROPORTION_MAX: f64 = 2.0;
/// The same for those between: where the frame becomes large, registers are allocated a second time, with more care.
const PROPORTION_BETWEEN_MAX: f64 = 4.0;

/// Counts what it hands out.
struct Counting;

static ALLOCATED_BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED_BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps what the trait demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        // SAFETY: the address came from `alloc` above, so from the system's allocator.
        unsafe { System.dealloc(address, layout) }
    }
}

/// Frames as large as the guard permits: how large they become is not what is counted here.
fn policy() -> Policy {
    Policy { frame_bytes_max: 16 << 20, ..Policy::default() }
}

/// What compiling a function of so many operators allocates, in bytes for each operator.
fn allocated_bytes(shape: Shape, operators: usize, setting: Setting) -> f64 {
    let wasm = shape.module(operators);
    let empty = shape.module(0);
    let count = |wasm: &[u8]| {
        let before = ALLOCATED_BYTES.load(Ordering::Relaxed);
        compile(wasm, &policy(), setting, &|_, _, _| {}).unwrap_or_else(|error| panic!("{shape:?}, {operators}: {error}"));
        ALLOCATED_BYTES.load(Ordering::Relaxed) - before
    };
    count(&wasm).saturating_sub(count(&empty)) as f64 / operators as f64
}

#[test]
fn a_compile_allocates_in_proportion_to_the_operators() {
    for (setting, sizes) in SIZES {
        for shape in Shape::ALL {
            let mut figures = Vec::new();
            for operators in sizes {
                figures.push(allocated_bytes(shape, *operators, setting));
                let proportion = if operators == &sizes[sizes.len() - 1] { PROPORTION_MAX } else { PROPORTION_BETWEEN_MAX };
                assert!(figures[figures.len() - 1] <= proportion * figures[0], "{setting:?} {shape:?}: {figures:.0?} bytes an operator");
            }
            println!("{setting:?} {shape:?}: {figures:.0?} bytes an operator");
        }
    }
}
