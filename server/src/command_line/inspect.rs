//! `vivarium inspect`: what an artifact says of itself.

use std::fmt::{self, Display, Formatter, Write as _};
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use vivarium_artifact::{ArtifactFile, Contract, ExportedItem, FORMAT_VERSION, FunctionRecord, FunctionType};

use super::failure::Failure;
use super::{Context, artifact, disassembly};

#[derive(Debug, Args)]
pub struct Inspect {
    /// An artifact, made here or elsewhere
    artifact: PathBuf,
    /// Show the native code of each function too, with wasm offsets and source lines
    #[arg(long)]
    disassemble: bool,
}

impl Inspect {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let (bytes, file, ours) = artifact::read_any(&self.artifact, context)?;
        let json = || {
            let mut shown = json!({
                "format_version": FORMAT_VERSION,
                "signed_here": ours,
                "artifact_bytes": bytes.len(),
                "text_bytes": file.text.len(),
                "image_bytes": file.image.len(),
                "functions": file.functions.records().len(),
                "trap_sites": file.traps.len(),
                "lines_bytes": file.lines.len(),
                "source_files": file.line_table(&bytes).files().collect::<Vec<_>>(),
                "contract": file.contract,
                "handlers": handlers(&file).collect::<Vec<_>>(),
            });
            if self.disassemble {
                shown["disassembly"] = json!(disassembly::functions(&bytes, &file).collect::<Vec<_>>());
            }
            shown
        };
        let code = || {
            if self.disassemble {
                disassembly::functions(&bytes, &file).map(|function| function.to_string()).collect()
            } else {
                String::new()
            }
        };
        context.print(json, || text(&bytes, &file, ours) + &code());
        Ok(ExitCode::SUCCESS)
    }
}

fn text(bytes: &[u8], file: &ArtifactFile, ours: bool) -> String {
    let contract = &file.contract;
    let mut out = String::new();
    let wasm: String = contract.wasm_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut row = |name: &str, value: String| {
        // Writing into a string does not fail.
        let _ = writeln!(out, "{name:<10} {value}");
    };
    row("format", format!("version {FORMAT_VERSION}, compiler {}, {:?}", contract.compiler_version, contract.setting).to_lowercase());
    row("signed", if ours { "by this data folder's key".into() } else { "elsewhere: `run` refuses it, compile it here".into() });
    row("wasm", format!("sha256 {wasm}"));
    row("processor", if contract.cpu_features.is_empty() { "any x86-64".into() } else { contract.cpu_features.join(" ") });
    row("sizes", format!("{} bytes: text {}, image {}", bytes.len(), file.text.len(), file.image.len()));
    row("code", format!("{} functions, {} places that may trap", file.functions.records().len(), file.traps.len()));
    let files: Vec<_> = file.line_table(bytes).files().collect();
    row("source", if files.is_empty() { "no lines are known".into() } else { format!("lines of {}", files.join(" ")) });
    row("stack", format!("{} bytes", contract.stack_bytes));
    for (index, memory) in contract.memories.iter().enumerate() {
        let (from, to) = (memory.minimum_bytes(), memory.maximum_bytes());
        row("memory", format!("{index}: {from} to {to} bytes, {} of them in the image", memory.image_bytes));
    }
    for (index, table) in contract.tables.iter().enumerate() {
        row("table", format!("{index}: {} to {} elements of {}", table.minimum, table.capacity, table.element));
    }
    row("globals", contract.globals.len().to_string());
    for (index, tag) in contract.tags.iter().enumerate() {
        let carried = contract.types.get(tag.type_number.wrapping_sub(1) as usize).map(FunctionType::to_string).unwrap_or_default();
        row("tag", format!("{index}: {carried}"));
    }
    if let Some(start) = contract.start {
        row("start", name_of(file, start));
    }
    for import in &contract.imports {
        row("import", format!("{}.{} {}", import.module, import.name, import.ty));
    }
    for export in &contract.exports {
        row("export", format!("{} {}", export.name, exported(contract, export.item)));
    }
    for handler in handlers(file) {
        row("handler", handler.to_string());
    }
    out
}

/// What catches at one call.
#[derive(Debug, Serialize)]
struct Handler {
    function: String,
    /// Offset in the text to which the call returns.
    return_offset: u32,
    frame_bytes: u32,
    clauses: Vec<HandlerClause>,
}

#[derive(Debug, Serialize)]
struct HandlerClause {
    /// None catches all.
    tag: Option<u32>,
    by_reference: bool,
    landing_offset: u32,
}

fn handlers(file: &ArtifactFile) -> impl Iterator<Item = Handler> + '_ {
    file.handlers.sites().map(|(return_offset, frame_bytes, clauses)| {
        let function = return_offset.checked_sub(1).and_then(|call| file.functions.at(call));
        let function = function.map(FunctionRecord::display_name).unwrap_or_default();
        let clauses = clauses.iter().map(|clause| HandlerClause {
            tag: clause.tag,
            by_reference: clause.by_reference,
            landing_offset: clause.landing_offset,
        });
        Handler { function, return_offset, frame_bytes, clauses: clauses.collect() }
    })
}

impl Display for Handler {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}, frame of {} bytes:", self.function, self.return_offset, self.frame_bytes)?;
        for (clause, comma) in self.clauses.iter().zip([""].into_iter().chain(iter::repeat(","))) {
            let tag = clause.tag.map_or("any tag".into(), |tag| format!("tag {tag}"));
            let reference = if clause.by_reference { " by reference" } else { "" };
            write!(f, "{comma} {tag}{reference} to {:#x}", clause.landing_offset)?;
        }
        Ok(())
    }
}

fn name_of(file: &ArtifactFile, function: u32) -> String {
    let record = file.functions.records().iter().find(|record| record.index == function);
    record.map_or_else(|| format!("function[{function}]"), FunctionRecord::display_name)
}

fn exported(contract: &Contract, item: ExportedItem) -> String {
    match item {
        ExportedItem::Function(function) => contract.function_type(function).map(FunctionType::to_string).unwrap_or_default(),
        ExportedItem::Table(index) => format!("table {index}"),
        ExportedItem::Memory(index) => format!("memory {index}"),
        ExportedItem::Global(index) => format!("global {index}"),
        ExportedItem::Tag(index) => format!("tag {index}"),
    }
}
