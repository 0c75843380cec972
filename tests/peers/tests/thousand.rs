//! Two independent oracles agree with our compiler and runtime, on a thousand generated modules and on all that fuzzing has found so far.

use std::path::Path;

use vivarium_compiler::Features;
use vivarium_peers::oracle::{Oracle, Part, Verdict, Way, generate};

const SEEDS: u64 = 1_000;

#[test]
fn a_thousand_generated_modules_do_the_same_in_all_engines() {
    let mut oracle = Oracle::start();
    let (mut agreed, mut interpreted) = (0, 0);
    for seed in 0..SEEDS {
        match oracle.judge_seed(seed) {
            Verdict::Agreed { wasmi, .. } => {
                agreed += 1;
                interpreted += u64::from(wasmi == Part::Agreed);
            }
            Verdict::Skipped(_) => {}
            Verdict::Found(difference) => panic!("seed {seed}, see it with `make fuzz SEED={seed}`: {difference}"),
        }
    }
    println!("{agreed} of {SEEDS} compared, {interpreted} of them with wasmi too");
    assert!(agreed > SEEDS / 2, "only {agreed} of {SEEDS} seeds could be compared: the generator is set wrongly");
    assert!(interpreted > agreed / 4, "only {interpreted} of {agreed} took part in wasmi: it lacks what the generator uses");
}

/// The generator draws which proposals a module uses: all that programs may use must be among them.
#[test]
fn generated_modules_use_what_programs_may_use() {
    let texts: Vec<String> = (0..300).filter_map(generate::module).map(|wasm| wasmprinter::print_bytes(wasm).unwrap()).collect();
    let used = |what: &str| texts.iter().filter(|text| text.contains(what)).count();
    let proposals = [
        (Features::SIMD, "v128"),
        (Features::TAIL_CALL, "return_call"),
        (Features::WIDE_ARITHMETIC, "i64.mul_wide"),
        (Features::MULTI_MEMORY, "(memory (;1;)"),
        (Features::MEMORY64, ";) i64 "),
        (Features::CUSTOM_PAGE_SIZES, "(pagesize"),
        (Features::BULK_MEMORY, "memory.copy"),
        (Features::BULK_MEMORY, "memory.init"),
        (Features::REFERENCE_TYPES, "table.grow"),
        (Features::EXCEPTIONS, "try_table"),
        (Features::FUNCTION_REFERENCES, "call_ref"),
    ];
    for (feature, text) in proposals {
        assert_eq!(used(text) > 3, Features::PRODUCT.contains(feature), "{text} is in {} of {} modules", used(text), texts.len());
    }
}

#[test]
fn what_fuzzing_found_stays_mended() {
    let mut oracle = Oracle::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("finds");
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("finds/ exists").map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    assert!(!files.is_empty(), "finds/ holds what was found");
    for path in files {
        let wasm = wat::parse_file(&path).expect("a find is text that parses");
        for way in Way::ALL {
            let verdict = oracle.judge(&wasm, 0, way);
            assert!(matches!(verdict, Verdict::Agreed { .. }), "{}, {way:?}: {verdict:?}", path.display());
        }
    }
}
