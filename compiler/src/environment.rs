//! What the translation of one function may ask about its module; shared by all threads, changed by none.

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature, types};
use cranelift_codegen::isa::CallConv;
use vivarium_artifact::{Contract, FunctionType, GlobalPlan, MemoryPlan, SlotLayout};

use crate::constant::Constant;
use crate::isa::Target;
use crate::module::{GlobalSource, ValidatedModule};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::symbol::{Place, Stub};
use crate::types::clif_type;

/// The module and the plan, as compiled code sees them.
pub struct Environment<'m> {
    pub module: &'m ValidatedModule<'m>,
    pub plan: &'m Plan,
    pub target: &'m Target,
    pub policy: &'m Policy,
    /// Whether code is made so that other modules can have it too: numbers of this module are then filled in behind the code generator
    /// (`cache/mod.rs`).
    pub shares_code: bool,
}

impl Environment<'_> {
    pub fn contract(&self) -> &Contract {
        &self.plan.contract
    }

    pub fn layout(&self) -> &SlotLayout {
        &self.plan.layout
    }

    /// A place in the context as an offset from `vmctx`.
    pub fn vmctx_offset(&self, place: Place) -> i32 {
        let layout = &self.plan.layout;
        layout.from_vmctx(match place {
            Place::Global(global) => layout.global(global),
            Place::Table(table) => layout.table(table),
            Place::TableLength(table) => layout.table_length(table),
            Place::MemoryLength(memory) => layout.memory_length(memory),
            Place::DataSegmentLength(segment) => layout.data_segment_length(segment),
            Place::ElementSegmentLength(segment) => layout.element_segment_length(segment),
            Place::Cells => layout.cell(0),
        })
    }

    pub fn memory(&self, memory: u32) -> &MemoryPlan {
        &self.contract().memories[memory as usize]
    }

    /// Whether a table belongs to another instance: all that is done with it is then an exit.
    pub fn table_is_imported(&self, table: u32) -> bool {
        self.contract().tables[table as usize].import.is_some()
    }

    pub fn global(&self, global: u32) -> &GlobalPlan {
        &self.contract().globals[global as usize]
    }

    /// The CLIF signature of a wasm function: `vmctx` first, tail convention, so that every function can be called by every other.
    pub fn signature(&self, ty: &FunctionType) -> Signature {
        let mut signature = bare_signature();
        signature.params.extend(ty.parameters.iter().map(|ty| AbiParam::new(clif_type(*ty))));
        signature.returns.extend(ty.results.iter().map(|ty| AbiParam::new(clif_type(*ty))));
        signature
    }

    /// The current length of a memory in bytes, when it cannot change.
    pub fn fixed_memory_length(&self, memory: u32) -> Option<u64> {
        let plan = self.memory(memory);
        (plan.import.is_none() && plan.minimum_pages == plan.maximum_pages).then_some(plan.minimum_bytes())
    }

    /// The current length of a table in elements, when it cannot change.
    pub fn fixed_table_length(&self, table: u32) -> Option<u64> {
        let plan = &self.contract().tables[table as usize];
        (plan.import.is_none() && plan.minimum == plan.capacity).then_some(plan.minimum)
    }

    /// The value of a global, when it cannot change.
    pub fn fixed_global(&self, global: u32) -> Option<Constant> {
        let global = &self.module.globals[global as usize];
        match global.source {
            GlobalSource::Constant(bits) if !global.ty.mutable => Some(bits),
            _ => None,
        }
    }
}

/// `(vmctx)`.
fn bare_signature() -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::special(types::I64, ArgumentPurpose::VMContext));
    signature
}

/// The signature of a stub (`symbol.rs` says its arguments).
pub fn stub_signature(stub: Stub) -> Signature {
    let arguments: &[_] = match stub {
        Stub::Hostcall => &[types::I64, types::I32],
        Stub::Done => &[types::I64],
        Stub::Copy => &[types::I64, types::I64, types::I64],
        Stub::Fill => &[types::I64, types::I32, types::I64],
        Stub::FillReferences => &[types::I64, types::I64, types::I64],
    };
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.extend(arguments.iter().map(|ty| AbiParam::new(*ty)));
    signature
}

/// The signature of an entry trampoline: `(vmctx, address of the callee)`.
pub fn entry_signature() -> Signature {
    let mut signature = bare_signature();
    signature.params.push(AbiParam::new(types::I64));
    signature
}
