//! The native code of an artifact's functions, each instruction with the wasm offset and the line of the source that it came from.

use std::fmt;

use iced_x86::{Decoder, DecoderOptions, Formatter as _, Instruction, IntelFormatter};
use serde::Serialize;
use vivarium_artifact::{ArtifactFile, FunctionRecord};

use crate::control::messages::SourcePlace;

/// One function.
#[derive(Debug, Serialize)]
pub struct Disassembled {
    pub function: String,
    /// In the module's function index space.
    pub index: u32,
    pub text_offset: u32,
    pub text_bytes: u32,
    pub instructions: Vec<Line>,
}

/// One instruction.
#[derive(Debug, Serialize)]
pub struct Line {
    pub text_offset: u32,
    /// With the name of the function that it calls or jumps to.
    pub text: String,
    /// None where it came from no wasm: trampolines of imported functions.
    pub wasm_offset: Option<u32>,
    pub place: Option<SourcePlace>,
}

/// All functions, by their place in the text. Constants between functions' instructions are shown as what they would be as code.
pub fn functions<'f>(bytes: &'f [u8], file: &'f ArtifactFile) -> impl Iterator<Item = Disassembled> + 'f {
    let text = bytes.get(file.text.clone()).unwrap_or_default();
    file.functions.records().iter().map(move |record| {
        let end = record.text_offset.saturating_add(record.text_bytes) as usize;
        let code = text.get(record.text_offset as usize..end).unwrap_or_default();
        let instructions = Decoder::with_ip(64, code, u64::from(record.text_offset), DecoderOptions::NONE);
        Disassembled {
            function: record.display_name(),
            index: record.index,
            text_offset: record.text_offset,
            text_bytes: record.text_bytes,
            instructions: instructions.into_iter().map(|instruction| line(&instruction, bytes, file)).collect(),
        }
    })
}

fn line(instruction: &Instruction, bytes: &[u8], file: &ArtifactFile) -> Line {
    let mut text = String::new();
    IntelFormatter::new().format(instruction, &mut text);
    let target = u32::try_from(instruction.near_branch_target()).ok().filter(|target| *target > 0);
    if let Some(callee) = target.and_then(|target| file.functions.at(target)).filter(|callee| is_another(callee, instruction)) {
        text.push_str(&format!(" <{}>", callee.display_name()));
    }
    let text_offset = instruction.ip() as u32;
    let wasm_offset = file.map.wasm_offset(text_offset);
    let place = wasm_offset.and_then(|offset| file.line_table(bytes).at(offset));
    let place = place.map(|place| SourcePlace { file: place.file.to_owned(), line: place.line, column: place.column });
    Line { text_offset, text, wasm_offset, place }
}

/// Whether a branch leads to the beginning of a function: others stay within their own.
fn is_another(callee: &FunctionRecord, instruction: &Instruction) -> bool {
    u64::from(callee.text_offset) == instruction.near_branch_target()
}

/// Offsets and lines are shown where they change.
impl fmt::Display for Disassembled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} (function {}, {} bytes)", self.function, self.index, self.text_bytes)?;
        let mut shown = (None, None);
        for line in &self.instructions {
            let origin = (line.wasm_offset, line.place.as_ref());
            let offset = origin.0.filter(|_| origin.0 != shown.0).map(|offset| format!("wasm {offset:#x}")).unwrap_or_default();
            let place = origin.1.filter(|_| origin.1 != shown.1).map(SourcePlace::to_string).unwrap_or_default();
            shown = origin;
            writeln!(f, "{}", format!("{:8x}  {:<44} {offset:<12} {place}", line.text_offset, line.text).trim_end())?;
        }
        Ok(())
    }
}
