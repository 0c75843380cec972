//! The sections of a module, each checked by the validator before it is read: one pass of the parser.

use vivarium_artifact::{AddressType, Export, ExportedItem, GlobalType, ImportName, ImportedFunction, TagPlan, WASM_PAGE_BYTES};
use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, Import, KnownCustom, Parser, Payload, TableInit, TypeRef, ValidPayload,
    Validator, WasmFeatures,
};

use crate::bodies;
use crate::constant::{Constant, ConstantScope};
use crate::error::CompileError;
use crate::module::{
    DataSegment, ElementSegment, Global, GlobalSource, Memory, SegmentMode, SegmentOffset, Table, TableInitial, ValidatedModule,
};
use crate::names;
use crate::policy::Policy;
use crate::relocations::{self, Relocations};
use crate::types::Signatures;

/// Validates and reads a module.
pub fn read<'a>(wasm: &'a [u8], policy: &Policy) -> Result<ValidatedModule<'a>, CompileError> {
    let mut reading = Reading::new(policy);
    reading.read_all(wasm, policy.features.flags())?;
    reading.finish()
}

/// A module of which some sections have been read.
struct Reading<'a, 'p> {
    policy: &'p Policy,
    signatures: Signatures,
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
            type_digests: vec![],
            types: vec![],
            imports: vec![],
            function_types: vec![],
            function_names: vec![],
            tables: vec![],
            memories: vec![],
            globals: vec![],
            tags: vec![],
            exports: vec![],
            start: None,
            elements: vec![],
            data: vec![],
            bodies: vec![],
            relocations: None,
        };
        let (signatures, constants) = (Signatures::default(), vec![]);
        Reading { policy, signatures, refused: None, constants, name_section: None, code_offset: 0, module }
    }

    fn read_all(&mut self, wasm: &'a [u8], features: WasmFeatures) -> Result<(), CompileError> {
        let mut validator = Validator::new_with_features(features);
        let mut parser = Parser::new(0);
        parser.set_features(features);
        let mut unchecked = Vec::new();
        for payload in parser.parse_all(wasm) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => {
                    unchecked.push(function);
                    self.module.bodies.push(body);
                }
                ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::End(_) => self.read_section(payload)?,
            }
        }
        bodies::validate(unchecked, &self.module.bodies)
    }

    fn finish(mut self) -> Result<ValidatedModule<'a>, CompileError> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let mut module = self.module;
        if self.policy.linked {
            // The initializer has it.
            self.signatures.number_empty();
        }
        (module.signatures, module.type_digests, module.types) = self.signatures.into_parts();
        module.function_names = vec![None; module.function_types.len()];
        if let Some(section) = self.name_section {
            names::read_name_section(section, &mut module.function_names);
        }
        names::name_by_exports(&module.exports, &mut module.function_names);
        Ok(module)
    }

    fn read_section(&mut self, payload: Payload<'a>) -> Result<(), CompileError> {
        match payload {
            Payload::TypeSection(section) => self.signatures.read(section),
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
            Payload::TagSection(section) => self.read_tags(section),
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
                let ty = self.global_type(offset, ty)?;
                self.module.globals.push(Global { ty, source: GlobalSource::Imported(name) });
                self.constants.push(None);
            }
            TypeRef::Memory(ty) => self.module.memories.push(Memory { import: Some(name), ..memory_of(offset, ty)? }),
            TypeRef::Table(ty) => {
                let table = self.table_of(offset, ty)?;
                self.module.tables.push(Table { import: Some(name), ..table });
            }
            TypeRef::Tag(ty) => self.module.tags.push(TagPlan { type_number: self.type_number(ty.func_type_idx), import: Some(name) }),
            _ => return Err(refusal(name, kind)),
        }
        Ok(())
    }

    fn import_function(&mut self, type_index: u32, ImportName { module, name }: ImportName) {
        let number = self.type_number(type_index);
        let ty = self.signatures.signature(number).clone();
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
            let number = self.type_number(type_index?);
            self.module.function_types.push(number);
        }
        Ok(())
    }

    fn read_table(&mut self, offset: u64, table: &wasmparser::Table<'a>) -> Result<(), CompileError> {
        let initial = match &table.init {
            TableInit::RefNull => TableInitial::Constant(0),
            TableInit::Expr(expression) => match self.scope().evaluate(expression)? {
                Some(reference) => TableInitial::Constant(reference as u64),
                None => TableInitial::Late(expression.clone()),
            },
        };
        let ty = self.table_of(offset, table.ty)?;
        self.module.tables.push(Table { initial, ..ty });
        Ok(())
    }

    fn read_tags(&mut self, section: wasmparser::TagSectionReader<'a>) -> Result<(), CompileError> {
        // Each has a trampoline, as an imported function has.
        let count = self.module.tags.len() as u64 + u64::from(section.count());
        if count > self.policy.functions_max {
            return Err(CompileError::limit("tags of the module", count, self.policy.functions_max));
        }
        for tag in section {
            let type_number = self.type_number(tag?.func_type_idx);
            self.module.tags.push(TagPlan { type_number, import: None });
        }
        Ok(())
    }

    fn read_global(&mut self, offset: u64, global: wasmparser::Global<'a>) -> Result<(), CompileError> {
        let constant = self.scope().evaluate(&global.init_expr)?;
        let ty = self.global_type(offset, global.ty)?;
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
            ExternalKind::Tag => ExportedItem::Tag(export.index),
            ExternalKind::FuncExact => return Err(CompileError::unsupported(offset, "an export of an exact function")),
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

    /// The signature's number of a type index.
    fn type_number(&self, type_index: u32) -> u32 {
        self.signatures.types()[type_index as usize]
    }

    fn global_type(&self, offset: u64, ty: wasmparser::GlobalType) -> Result<GlobalType, CompileError> {
        let value = self.signatures.value_type(ty.content_type).ok_or_else(|| later_type(offset))?;
        Ok(GlobalType { value, mutable: ty.mutable })
    }

    fn table_of(&self, offset: u64, ty: wasmparser::TableType) -> Result<Table<'a>, CompileError> {
        if ty.shared {
            return Err(CompileError::unsupported(offset, "a table that threads share"));
        }
        Ok(Table {
            address: address_type(ty.table64),
            element: self.signatures.reference_type(ty.element_type).ok_or_else(|| later_type(offset))?,
            minimum: ty.initial,
            maximum: ty.maximum,
            initial: TableInitial::Constant(0),
            import: None,
        })
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

fn address_type(is_64: bool) -> AddressType {
    if is_64 { AddressType::I64 } else { AddressType::I32 }
}

/// A type that the validator knows, in a set that has its feature, and the translator does not.
fn later_type(offset: u64) -> CompileError {
    CompileError::unsupported(offset, "a type of a later feature")
}
