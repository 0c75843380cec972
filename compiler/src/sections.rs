//! The sections of a module, each checked by the validator before it is read: one pass of the parser.

use vivarium_artifact::{AddressType, Export, ExportedItem, GlobalType, ImportedFunction, WASM_PAGE_BYTES};
use wasmparser::{
    DataKind, ElementItems, ElementKind, ExternalKind, FuncToValidate, FuncValidatorAllocations, FunctionBody, Import, KnownCustom, Parser,
    Payload, TableInit, TypeRef, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use crate::constant::{Constant, ConstantScope};
use crate::error::CompileError;
use crate::module::{DataSegment, ElementSegment, Global, GlobalSource, Memory, SegmentMode, Table, ValidatedModule};
use crate::names;
use crate::policy::Policy;
use crate::relocations::{self, Relocations};
use crate::types::{SignatureNumbers, function_type, reference_type, value_type};

/// Validates and reads a module.
pub fn read<'a>(wasm: &'a [u8], policy: &Policy) -> Result<ValidatedModule<'a>, CompileError> {
    let mut reading = Reading::new(policy);
    reading.read_all(wasm, policy.features.flags())?;
    reading.finish()
}

/// A module of which some sections have been read.
struct Reading<'a, 'p> {
    policy: &'p Policy,
    numbers: SignatureNumbers,
    /// Imports that are refused only once the whole module is known to be valid.
    refused: Option<CompileError>,
    constants: Vec<Option<Constant>>,
    name_section: Option<wasmparser::NameSectionReader<'a>>,
    /// Where the contents of the code section begin.
    code_offset: u64,
    module: ValidatedModule<'a>,
}

impl<'a, 'p> Reading<'a, 'p> {
    fn new(policy: &'p Policy) -> Reading<'a, 'p> {
        let module = ValidatedModule {
            signatures: vec![],
            types: vec![],
            imports: vec![],
            function_types: vec![],
            function_names: vec![],
            tables: vec![],
            memories: vec![],
            globals: vec![],
            exports: vec![],
            start: None,
            elements: vec![],
            data: vec![],
            bodies: vec![],
            relocations: None,
        };
        let (numbers, constants) = (SignatureNumbers::default(), vec![]);
        Reading { policy, numbers, refused: None, constants, name_section: None, code_offset: 0, module }
    }

    fn read_all(&mut self, wasm: &'a [u8], features: WasmFeatures) -> Result<(), CompileError> {
        let mut validator = Validator::new_with_features(features);
        let mut parser = Parser::new(0);
        parser.set_features(features);
        let mut allocations = FuncValidatorAllocations::default();
        for payload in parser.parse_all(wasm) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => allocations = self.read_body(function, body, allocations)?,
                ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::End(_) => self.read_section(payload)?,
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<ValidatedModule<'a>, CompileError> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let mut module = self.module;
        module.signatures = self.numbers.into_signatures();
        module.function_names = vec![None; module.function_types.len()];
        if let Some(section) = self.name_section {
            names::read_name_section(section, &mut module.function_names);
        }
        names::name_by_exports(&module.exports, &mut module.function_names);
        Ok(module)
    }

    fn read_body(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: FunctionBody<'a>,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, CompileError> {
        let mut validator = function.into_validator(allocations);
        validator.validate(&body)?;
        self.module.bodies.push(body);
        Ok(validator.into_allocations())
    }

    fn read_section(&mut self, payload: Payload<'a>) -> Result<(), CompileError> {
        match payload {
            Payload::TypeSection(section) => self.read_types(section),
            Payload::ImportSection(section) => section.into_imports_with_offsets().try_for_each(|import| {
                let (offset, import) = import?;
                self.read_import(offset, import)
            }),
            Payload::FunctionSection(section) => self.read_functions(section),
            Payload::TableSection(section) => section.into_iter_with_offsets().try_for_each(|table| {
                let (offset, table) = table?;
                self.read_table(offset, &table)
            }),
            Payload::MemorySection(section) => section.into_iter_with_offsets().try_for_each(|memory| {
                let (offset, ty) = memory?;
                self.read_memory(offset, ty)
            }),
            Payload::TagSection(section) => Err(CompileError::unsupported(section.original_position(), "tags of exceptions")),
            Payload::GlobalSection(section) => section.into_iter_with_offsets().try_for_each(|global| {
                let (offset, global) = global?;
                self.read_global(offset, global)
            }),
            Payload::ExportSection(section) => section.into_iter_with_offsets().try_for_each(|export| {
                let (offset, export) = export?;
                self.read_export(offset, export)
            }),
            Payload::StartSection { func, .. } => {
                self.module.start = Some(func);
                Ok(())
            }
            Payload::ElementSection(section) => section.into_iter().try_for_each(|element| self.read_element(element?)),
            Payload::DataSection(section) => section.into_iter().try_for_each(|data| self.read_data(data?)),
            Payload::CodeSectionStart { unchecked_range, .. } => {
                self.code_offset = unchecked_range.start;
                Ok(())
            }
            Payload::CustomSection(section) => {
                match section.as_known() {
                    KnownCustom::Name(names) => self.name_section = Some(names),
                    KnownCustom::Reloc(reader) if section.name() == relocations::SECTION => {
                        self.module.relocations = Relocations::read(&reader, self.code_offset);
                    }
                    _ => {}
                }
                Ok(())
            }
            // The rest carries nothing that the later stages use, or belongs to features that the validator has refused.
            _ => Ok(()),
        }
    }

    fn read_types(&mut self, section: wasmparser::TypeSectionReader<'a>) -> Result<(), CompileError> {
        let offset = section.original_position();
        for ty in section.into_iter_err_on_gc_types() {
            let ty = ty.map_err(|error| CompileError::unsupported(error.offset(), "types of garbage collection"))?;
            let signature = function_type(&ty).ok_or_else(|| later_type(offset))?;
            self.module.types.push(self.numbers.number(signature));
        }
        Ok(())
    }

    fn read_import(&mut self, offset: u64, import: Import<'a>) -> Result<(), CompileError> {
        let (module, name) = (import.module.to_owned(), import.name.to_owned());
        match import.ty {
            TypeRef::Func(type_index) => self.import_function(type_index, module, name),
            TypeRef::Global(ty) if self.policy.imported_globals && !ty.mutable => {
                let value = value_type(ty.content_type).ok_or_else(|| later_type(offset))?;
                let known = self.policy.imports.global_value(&module, &name);
                let source = GlobalSource::Imported { module, name };
                self.module.globals.push(Global { ty: GlobalType { value, mutable: false }, source });
                self.constants.push(known);
                Ok(())
            }
            // What follows would be read with wrong indices, so this one is final.
            TypeRef::Global(_) => Err(CompileError::ImportKind { module, name, kind: "global" }),
            TypeRef::Memory(_) => Err(CompileError::ImportKind { module, name, kind: "memory" }),
            TypeRef::Table(_) => Err(CompileError::ImportKind { module, name, kind: "table" }),
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => Err(CompileError::ImportKind { module, name, kind: "tag" }),
        }
    }

    fn import_function(&mut self, type_index: u32, module: String, name: String) -> Result<(), CompileError> {
        let number = self.module.types[type_index as usize];
        let ty = self.numbers.signature(number).clone();
        self.module.function_types.push(number);
        let refusal = match self.policy.imports.lookup(&module, &name) {
            None => Some(CompileError::UnknownImport { module: module.clone(), name: name.clone() }),
            Some(expected) if *expected != ty => {
                let (found, expected) = (Box::new(ty.clone()), Box::new(expected.clone()));
                Some(CompileError::ImportType { module: module.clone(), name: name.clone(), found, expected })
            }
            Some(_) => None,
        };
        self.refused = self.refused.take().or(refusal);
        self.module.imports.push(ImportedFunction { module, name, ty });
        Ok(())
    }

    fn read_functions(&mut self, section: wasmparser::FunctionSectionReader<'a>) -> Result<(), CompileError> {
        let count = self.module.imports.len() as u64 + u64::from(section.count());
        if count > self.policy.functions_max {
            return Err(CompileError::limit("functions of the module", count, self.policy.functions_max));
        }
        for type_index in section {
            self.module.function_types.push(self.module.types[type_index? as usize]);
        }
        Ok(())
    }

    fn read_memory(&mut self, offset: u64, ty: wasmparser::MemoryType) -> Result<(), CompileError> {
        if ty.shared {
            return Err(CompileError::unsupported(offset, "a memory that threads share"));
        }
        self.module.memories.push(memory_of(ty));
        Ok(())
    }

    fn read_table(&mut self, offset: u64, table: &wasmparser::Table<'a>) -> Result<(), CompileError> {
        let ty = table.ty;
        let element = reference_type(ty.element_type).ok_or_else(|| later_type(offset))?;
        if ty.shared || !matches!(table.init, TableInit::RefNull) {
            return Err(CompileError::unsupported(offset, "a table that is shared or begins with a value"));
        }
        self.module.tables.push(Table { address: address_type(ty.table64), element, minimum: ty.initial, maximum: ty.maximum });
        Ok(())
    }

    fn read_global(&mut self, offset: u64, global: wasmparser::Global<'a>) -> Result<(), CompileError> {
        let constant = self.scope().evaluate(&global.init_expr)?;
        let value = value_type(global.ty.content_type).ok_or_else(|| later_type(offset))?;
        let ty = GlobalType { value, mutable: global.ty.mutable };
        self.module.globals.push(Global { ty, source: GlobalSource::Constant(constant) });
        self.constants.push(Some(constant));
        Ok(())
    }

    fn read_export(&mut self, offset: u64, export: wasmparser::Export<'a>) -> Result<(), CompileError> {
        let item = match export.kind {
            ExternalKind::Func => ExportedItem::Function(export.index),
            ExternalKind::Table => ExportedItem::Table(export.index),
            ExternalKind::Memory => ExportedItem::Memory(export.index),
            ExternalKind::Global => ExportedItem::Global(export.index),
            ExternalKind::Tag | ExternalKind::FuncExact => return Err(CompileError::unsupported(offset, "an exported tag")),
        };
        self.module.exports.push(Export { name: export.name.to_owned(), item });
        Ok(())
    }

    fn read_element(&mut self, element: wasmparser::Element<'a>) -> Result<(), CompileError> {
        let scope = self.scope();
        let items = match element.items {
            ElementItems::Functions(functions) => {
                functions.into_iter().map(|function| Ok(scope.reference(function?))).collect::<Result<Vec<_>, CompileError>>()?
            }
            ElementItems::Expressions(_, expressions) => {
                expressions.into_iter().map(|item| Ok(scope.evaluate(&item?)? as u64)).collect::<Result<Vec<_>, CompileError>>()?
            }
        };
        let mode = match element.kind {
            ElementKind::Passive => SegmentMode::Passive,
            ElementKind::Declared => SegmentMode::Declared,
            ElementKind::Active { table_index, offset_expr } => {
                SegmentMode::Active { target: table_index.unwrap_or(0), offset: scope.evaluate(&offset_expr)? as u64 }
            }
        };
        self.module.elements.push(ElementSegment { mode, items });
        Ok(())
    }

    fn read_data(&mut self, data: wasmparser::Data<'a>) -> Result<(), CompileError> {
        let mode = match data.kind {
            DataKind::Passive => SegmentMode::Passive,
            DataKind::Active { memory_index, offset_expr } => {
                SegmentMode::Active { target: memory_index, offset: self.scope().evaluate(&offset_expr)? as u64 }
            }
        };
        self.module.data.push(DataSegment { mode, bytes: data.data });
        Ok(())
    }

    fn scope(&self) -> ConstantScope<'_> {
        ConstantScope { globals: &self.constants, function_types: &self.module.function_types }
    }
}

fn memory_of(ty: wasmparser::MemoryType) -> Memory {
    // The validator permits pages of 1 byte and of 64 KiB.
    let page_bytes = ty.page_size_log2.map_or(WASM_PAGE_BYTES, |log2| 1 << log2.min(16));
    Memory { address: address_type(ty.memory64), page_bytes, minimum_pages: ty.initial, maximum_pages: ty.maximum }
}

fn address_type(is_64: bool) -> AddressType {
    if is_64 { AddressType::I64 } else { AddressType::I32 }
}

/// A type that the validator knows, in a set that has its feature, and the translator does not.
fn later_type(offset: u64) -> CompileError {
    CompileError::unsupported(offset, "a type of a later feature")
}
