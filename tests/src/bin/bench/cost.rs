//! Group `compiler`, by size: processor time of a whole compile for each operator, in functions from a thousand operators to a million. Code generation on several
//! threads counts as often as there are threads: what is measured is work, not waiting.

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use vivarium_artifact::Setting;
use vivarium_compiler::{Policy, compile};
use vivarium_tests::large::Shape;
use vivarium_tests::table::Row;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Operators that are compiled for one figure, at least.
const OPERATORS_MIN: usize = 100_000;
/// How many times as much an operator of a larger function may cost as one of a function of ten thousand.
const PROPORTION_MAX: f64 = 2.0;

/// All rows of the group.
pub fn rows() -> Vec<Value> {
    let mut rows = Vec::new();
    for setting in [Setting::Fast, Setting::Best] {
        for shape in Shape::ALL {
            let mut goal = None;
            for operators in SIZES {
                let values = measure(setting, shape, operators);
                let name = format!("{setting:?}, {shape:?}, {operators} operators");
                rows.push(Row { group: "compiler", name: &name, unit: "ns/operator", values: values.clone(), goal, said: "" }.print());
                if operators == SIZES[1] {
                    goal = Some((PROPORTION_MAX * values.iter().sum::<f64>() / values.len() as f64).round());
                }
            }
        }
    }
    rows
}

fn measure(setting: Setting, shape: Shape, operators: usize) -> Vec<f64> {
    let wasm = shape.module(operators);
    // How large frames become is not what is measured.
    let policy = Policy { frame_bytes_max: 16 << 20, ..Policy::default() };
    let times = (OPERATORS_MIN / operators).max(1);
    let measured = (0..times).map(|_| {
        let before = processor_ns();
        compile(&wasm, &policy, setting, &|_, _, _| {}).expect("a million operators are within the limits");
        (processor_ns() - before) / operators as f64
    });
    measured.collect()
}

fn processor_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}
