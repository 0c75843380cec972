//! The sections of a module, each checked by the validator before it is read: one pass of the parser.

use vivarium_artifact::{AddressType, Export, ExportedItem, FunctionType, GlobalType, ImportName, ImportedFunction, WASM_PAGE_BYTES};
use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncToValidate, FuncValidatorAllocations, FunctionBody, Import,
    KnownCustom, Parser, Payload, TableInit, TypeRef, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use crate::constant::{Constant, ConstantScope};
use crate::error::CompileError;
use crate::module::{DataSegment, ElementSegment, Global, GlobalSource, Memory, SegmentMode, SegmentOffset, Table, ValidatedModule};
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

    fn finish(mut self) -> Result<ValidatedModule<'a>, CompileError> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let mut module = self.module;
        if self.policy.linked {
            // The initializer has it.
            self.numbers.number(FunctionType::default());
        }
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
                self.module.memories.push(memory_of(offset, ty)?);
                Ok(())
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
        let name = ImportName { module: import.module.to_owned(), name: import.name.to_owned() };
        let refusal = |name: ImportName, kind| CompileError::ImportKind { module: name.module, name: name.name, kind };
        let kind = match import.ty {
            TypeRef::Func(type_index) => {
                self.import_function(type_index, name);
                return Ok(());
            }
            TypeRef::Global(_) => "global",
            TypeRef::Memory(_) => "memory",
            TypeRef::Table(_) => "table",
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => "tag",
        };
        // What follows would be read with wrong indices, so this refusal is final.
        if !self.policy.linked {
            return Err(refusal(name, kind));
        }
        match import.ty {
            TypeRef::Global(ty) => {
                let value = value_type(ty.content_type).ok_or_else(|| later_type(offset))?;
                let ty = GlobalType { value, mutable: ty.mutable };
                self.module.globals.push(Global { ty, source: GlobalSource::Imported(name) });
                self.constants.push(None);
            }
            TypeRef::Memory(ty) => self.module.memories.push(Memory { import: Some(name), ..memory_of(offset, ty)? }),
            TypeRef::Table(ty) => self.module.tables.push(Table { import: Some(name), ..table_of(offset, ty)? }),
            _ => return Err(refusal(name, kind)),
        }
        Ok(())
    }

    fn import_function(&mut self, type_index: u32, ImportName { module, name }: ImportName) {
        let number = self.module.types[type_index as usize];
        let ty = self.numbers.signature(number).clone();
        self.module.function_types.push(number);
        let refusal = match self.policy.imports.lookup(&module, &name) {
            _ if self.policy.linked => None,
            None => Some(CompileError::UnknownImport { module: module.clone(), name: name.clone() }),
            Some(expected) if *expected != ty => {
                let (found, expected) = (Box::new(ty.clone()), Box::new(expected.clone()));
                Some(CompileError::ImportType { module: module.clone(), name: name.clone(), found, expected })
            }
            Some(_) => None,
        };
        self.refused = self.refused.take().or(refusal);
        self.module.imports.push(ImportedFunction { module, name, ty });
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

    fn read_table(&mut self, offset: u64, table: &wasmparser::Table<'a>) -> Result<(), CompileError> {
        if !matches!(table.init, TableInit::RefNull) {
            return Err(CompileError::unsupported(offset, "a table that begins with a value"));
        }
        self.module.tables.push(table_of(offset, table.ty)?);
        Ok(())
    }

    fn read_global(&mut self, offset: u64, global: wasmparser::Global<'a>) -> Result<(), CompileError> {
        let constant = self.scope().evaluate(&global.init_expr)?;
        let value = value_type(global.ty.content_type).ok_or_else(|| later_type(offset))?;
        let ty = GlobalType { value, mutable: global.ty.mutable };
        let source = constant.map_or(GlobalSource::Late(global.init_expr), GlobalSource::Constant);
        self.module.globals.push(Global { ty, source });
        self.constants.push(constant);
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
        let mut late = Vec::new();
        let items = match element.items {
            ElementItems::Functions(functions) => {
                functions.into_iter().map(|function| Ok(scope.reference(function?))).collect::<Result<Vec<_>, CompileError>>()?
            }
            ElementItems::Expressions(_, expressions) => {
                let mut items = Vec::with_capacity(expressions.count() as usize);
                for expression in expressions {
                    let expression = expression?;
                    let value = scope.evaluate(&expression)?;
                    if value.is_none() {
                        late.push((items.len() as u32, expression));
                    }
                    items.push(value.unwrap_or_default() as u64);
                }
                items
            }
        };
        let mode = match element.kind {
            ElementKind::Passive => SegmentMode::Passive,
            ElementKind::Declared => SegmentMode::Declared,
            ElementKind::Active { table_index, offset_expr } => {
                SegmentMode::Active { target: table_index.unwrap_or(0), offset: self.segment_offset(offset_expr)? }
            }
        };
        self.module.elements.push(ElementSegment { mode, items, late });
        Ok(())
    }

    fn read_data(&mut self, data: wasmparser::Data<'a>) -> Result<(), CompileError> {
        let mode = match data.kind {
            DataKind::Passive => SegmentMode::Passive,
            DataKind::Active { memory_index, offset_expr } => {
                SegmentMode::Active { target: memory_index, offset: self.segment_offset(offset_expr)? }
            }
        };
        self.module.data.push(DataSegment { mode, bytes: data.data });
        Ok(())
    }

    fn segment_offset(&self, expression: ConstExpr<'a>) -> Result<SegmentOffset<'a>, CompileError> {
        let constant = self.scope().evaluate(&expression)?;
        Ok(constant.map_or(SegmentOffset::Late(expression), |offset| SegmentOffset::Constant(offset as u64)))
    }

    fn scope(&self) -> ConstantScope<'_> {
        ConstantScope { globals: &self.constants, function_types: &self.module.function_types }
    }
}

fn memory_of(offset: u64, ty: wasmparser::MemoryType) -> Result<Memory, CompileError> {
    if ty.shared {
        return Err(CompileError::unsupported(offset, "a memory that threads share"));
    }
    // The validator permits pages of 1 byte and of 64 KiB.
    let page_bytes = ty.page_size_log2.map_or(WASM_PAGE_BYTES, |log2| 1 << log2.min(16));
    Ok(Memory { address: address_type(ty.memory64), page_bytes, minimum_pages: ty.initial, maximum_pages: ty.maximum, import: None })
}

fn table_of(offset: u64, ty: wasmparser::TableType) -> Result<Table, CompileError> {
    if ty.shared {
        return Err(CompileError::unsupported(offset, "a table that threads share"));
    }
    let element = reference_type(ty.element_type).ok_or_else(|| later_type(offset))?;
    Ok(Table { address: address_type(ty.table64), element, minimum: ty.initial, maximum: ty.maximum, import: None })
}

fn address_type(is_64: bool) -> AddressType {
    if is_64 { AddressType::I64 } else { AddressType::I32 }
}

/// A type that the validator knows, in a set that has its feature, and the translator does not.
fn later_type(offset: u64) -> CompileError {
    CompileError::unsupported(offset, "a type of a later feature")
}
