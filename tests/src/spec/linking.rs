//! Who owns what an instance imports, and what a reference means in another instance.
//!
//! A place is `(member, index)`: the member whose own the function, table, memory or global is, however often it was exported and imported again. In each
//! module a reference to a function has another number; what is stored in one member and read by another is translated here, by way of the place.

use vivarium_artifact::abi::{FOREIGN_TYPE, function_reference};
use vivarium_artifact::{Contract, ExportedItem, ImportName, ValueType};
use vivarium_runtime::{Exception, Instance, LinkError};

use super::store::Store;

/// A member of the store and an index in its own index space.
pub type Place = (usize, u32);

/// The owners of all that a module imports, in the order of its index spaces.
#[derive(Debug, Default)]
pub struct Owners {
    pub functions: Vec<Place>,
    pub tables: Vec<Place>,
    pub memories: Vec<Place>,
    pub globals: Vec<Place>,
    pub tags: Vec<Place>,
}

impl Owners {
    /// Whether any of it belongs to this member.
    pub fn include(&self, member: usize) -> bool {
        [&self.functions, &self.tables, &self.memories, &self.globals, &self.tags]
            .iter()
            .any(|places| places.iter().any(|place| place.0 == member))
    }
}

impl Store {
    /// Finds the owners of what a module imports; the error says which import does not link.
    pub fn resolve(&self, contract: &Contract) -> Result<Owners, String> {
        let mut owners = Owners::default();
        for (import, index) in contract.imports.iter().zip(0..) {
            let name = ImportName { module: import.module.clone(), name: import.name.clone() };
            let place = self.exported(&name, |item| if let ExportedItem::Function(index) = item { Some(index) } else { None })?;
            let place = self.owner_of_function(place);
            let owner = self.contract(place.0);
            if !contract.is_same_signature(contract.function_types[index], owner, owner.function_types[place.1 as usize]) {
                return Err(format!("{}.{} has another type", name.module, name.name));
            }
            owners.functions.push(place);
        }
        for table in contract.tables.iter() {
            let Some(name) = &table.import else { break };
            let place = self.exported(name, |item| if let ExportedItem::Table(index) = item { Some(index) } else { None })?;
            let place = owner(&self.member(place.0).owners.tables, place);
            let length = self.instance(place.0).table_length(place.1).expect("an owner has its table");
            let owner = self.contract(place.0);
            if !table.accepts(contract, &owner.tables[place.1 as usize], owner, length) {
                return Err(format!("table {}.{} has another type", name.module, name.name));
            }
            owners.tables.push(place);
        }
        for memory in contract.memories.iter() {
            let Some(name) = &memory.import else { break };
            let place = self.exported(name, |item| if let ExportedItem::Memory(index) = item { Some(index) } else { None })?;
            owners.memories.push(owner(&self.member(place.0).owners.memories, place));
        }
        for global in contract.globals.iter() {
            let Some(name) = global.import() else { break };
            let place = self.exported(name, |item| if let ExportedItem::Global(index) = item { Some(index) } else { None })?;
            let place = owner(&self.member(place.0).owners.globals, place);
            let owner = self.contract(place.0);
            let offered = &owner.globals[place.1 as usize].ty;
            let fits = match global.ty.mutable {
                true => owner.is_same_type(offered.value, contract, global.ty.value),
                false => owner.is_subtype(offered.value, contract, global.ty.value),
            };
            if offered.mutable != global.ty.mutable || !fits {
                return Err(format!("global {}.{} has another type", name.module, name.name));
            }
            owners.globals.push(place);
        }
        for tag in contract.tags.iter() {
            let Some(name) = &tag.import else { break };
            let place = self.exported(name, |item| if let ExportedItem::Tag(index) = item { Some(index) } else { None })?;
            let place = owner(&self.member(place.0).owners.tags, place);
            let owner = self.contract(place.0);
            if !contract.is_same_signature(tag.type_number, owner, owner.tags[place.1 as usize].type_number) {
                return Err(format!("tag {}.{} has another type", name.module, name.name));
            }
            owners.tags.push(place);
        }
        Ok(owners)
    }

    /// Gives a fresh instance, the next member, what it imports.
    pub fn link(&mut self, instance: &mut Instance, owners: &Owners) -> Result<(), LinkError> {
        let module = instance.module().clone();
        for (place, index) in owners.memories.iter().zip(0..) {
            instance.link_memory(index, self.instance_mut(place.0), place.1)?;
        }
        for (place, index) in owners.tags.iter().zip(0..) {
            instance.link_tag(index, self.instance(place.0), place.1)?;
        }
        let next = self.next_member();
        for (place, index) in owners.globals.iter().zip(0..) {
            let plan = &module.contract().globals[index as usize];
            if plan.is_linked() {
                instance.link_global(index, self.instance_mut(place.0), place.1)?;
            } else if !plan.ty.mutable {
                let value = self.instance(place.0).global(place.1);
                let value = self.translate(plan.ty.value, value, place.0, (next, module.contract()));
                instance.set_global(index, value);
            }
        }
        Ok(())
    }

    fn exported(&self, name: &ImportName, index: impl Fn(ExportedItem) -> Option<u32>) -> Result<Place, String> {
        let missing = || format!("there is no {}.{} of this kind", name.module, name.name);
        let member = self.registered(&name.module)?;
        let item = self.contract(member).export(&name.name).ok_or_else(missing)?;
        Ok((member, index(item).ok_or_else(missing)?))
    }

    /// The owner of a function of a member.
    pub fn owner_of_function(&self, place: Place) -> Place {
        owner(&self.member(place.0).owners.functions, place)
    }

    /// A value of one member as a value of another, which is given with its contract.
    pub fn translate(&mut self, ty: ValueType, bits: u128, from: usize, to: (usize, &Contract)) -> u128 {
        if !ty.is_local() || from == to.0 || bits as u64 == 0 {
            return bits;
        }
        if ty.is_exception_reference() {
            let exception = self.instance(from).exception(bits as u64).cloned().expect("a reference names an exception");
            let exception = self.translate_exception(exception, from, to);
            return self.instance_mut(to.0).keep_exception(exception).expect("the suite keeps few exceptions").into();
        }
        match self.named_function(from, bits as u64) {
            Some((member, function)) if member == to.0 => function_reference(to.1.function_types[function as usize], function).into(),
            Some(place) => function_reference(FOREIGN_TYPE, self.foreign_number(place)).into(),
            None => 0,
        }
    }

    /// An exception of one member as an exception of another.
    pub fn translate_exception(&mut self, mut exception: Exception, from: usize, to: (usize, &Contract)) -> Exception {
        for (ty, bits) in &mut exception.payload {
            *bits = self.translate(*ty, *bits, from, to);
        }
        exception
    }

    /// The function that a reference names in a member; none when it is null.
    pub fn named_function(&self, member: usize, reference: u64) -> Option<Place> {
        let (ty, function) = (reference as u32, (reference >> 32) as u32);
        match ty {
            0 => None,
            FOREIGN_TYPE => Some(self.foreign(function)),
            _ => Some(self.owner_of_function((member, function))),
        }
    }
}

/// The owner of what a member has at an index: imports come first.
fn owner(imported: &[Place], place: Place) -> Place {
    imported.get(place.1 as usize).copied().unwrap_or(place)
}
