//! A function's code as it is kept: with slots where indices of its module would be, and offsets that count from the beginning of its body.
//!
//! `length of the head (u32, little-endian) │ head (postcard) │ code`

use cranelift_codegen::ir::UserExternalName;
use serde::{Deserialize, Serialize};
use vivarium_artifact::{CallSite, Clause, TrapKind};

use super::references::References;
use crate::codegen::{CompiledFunction, Location, NumberSite, Relocation};
use crate::symbol::{Number, Symbol};

/// All but the code. Symbols are namespace and index of their names.
#[derive(Serialize, Deserialize)]
struct Head {
    alignment: u32,
    relocations: Vec<(u32, u32, u32, i64)>,
    numbers: Vec<(u32, u32, u32)>,
    traps: Vec<(u32, TrapKind)>,
    handlers: Vec<Handler>,
    /// Offsets in the code, and in the body.
    locations: Vec<(u32, u32, u32)>,
}

/// Return address, bytes of the frame, and of each clause its code and landing.
type Handler = (u32, u32, Vec<(u32, u32)>);

/// Encodes a function of which nothing has been filled in. None when it refers to what only its own module has.
pub fn encode(function: &CompiledFunction, references: Option<&References>, body_offset: u32) -> Option<Vec<u8>> {
    let CompiledFunction { code, alignment, relocations, numbers, traps, handlers, locations } = function;
    let name = |symbol: Symbol| {
        let symbol = references.map_or(Some(symbol), |references| references.to_slots(symbol))?;
        let UserExternalName { namespace, index } = symbol.external_name();
        Some((namespace, index))
    };
    let relocation = |relocation: &Relocation| {
        let (namespace, index) = name(relocation.symbol)?;
        Some((relocation.offset, namespace, index, relocation.addend))
    };
    let number = |site: &NumberSite| {
        let (namespace, index) = name(Symbol::Number(site.number))?;
        Some((site.offset, namespace, index))
    };
    let clause = |clause: &Clause| {
        let tag = match clause.tag {
            Some(tag) => Some(name(Symbol::Throw(tag))?.1),
            None => None,
        };
        Some((Clause::code(tag, clause.by_reference), clause.landing_offset))
    };
    let handler = |site: &CallSite| Some((site.return_offset, site.frame_bytes, site.clauses.iter().map(clause).collect::<Option<_>>()?));
    let location = |location: &Location| Some((location.start, location.end, location.wasm_offset.checked_sub(body_offset)?));
    let head = Head {
        alignment: *alignment,
        relocations: relocations.iter().map(relocation).collect::<Option<_>>()?,
        numbers: numbers.iter().map(number).collect::<Option<_>>()?,
        traps: traps.clone(),
        handlers: handlers.iter().map(handler).collect::<Option<_>>()?,
        locations: locations.iter().map(location).collect::<Option<_>>()?,
    };
    let mut bytes = postcard::to_extend(&head, vec![0; 4]).ok()?;
    let head_bytes = u32::try_from(bytes.len() - 4).ok()?;
    bytes[..4].copy_from_slice(&head_bytes.to_le_bytes());
    bytes.extend_from_slice(code);
    Some(bytes)
}

/// Decodes a function for a module. None when the entry is damaged or does not fit the references.
pub fn decode(bytes: &[u8], references: Option<&References>, body_offset: u32) -> Option<CompiledFunction> {
    let (head_bytes, rest) = bytes.split_first_chunk()?;
    let (head, code) = rest.split_at_checked(u32::from_le_bytes(*head_bytes) as usize)?;
    let head: Head = postcard::from_bytes(head).ok()?;
    let is_inside = |offset: u32, length: u32| offset.checked_add(length).is_some_and(|end| end as usize <= code.len());
    let symbol = |namespace, index| {
        let symbol = Symbol::from_external_name(&UserExternalName { namespace, index })?;
        references.map_or(Some(symbol), |references| references.to_indices(symbol))
    };
    let relocation = |(offset, namespace, index, addend)| match symbol(namespace, index)? {
        Symbol::Number(_) => None,
        symbol => is_inside(offset, 4).then_some(Relocation { offset, symbol, addend }),
    };
    let number = |(offset, namespace, index)| match symbol(namespace, index)? {
        Symbol::Number(number) => is_inside(offset, 8).then_some(NumberSite { offset, number }),
        _ => None,
    };
    let clause = |(code, landing_offset)| {
        let clause = Clause::new(code, landing_offset);
        let tag = match clause.tag.map(|tag| symbol(Symbol::Throw(tag).external_name().namespace, tag)) {
            None => None,
            Some(Some(Symbol::Throw(tag))) => Some(tag),
            Some(_) => return None,
        };
        is_inside(landing_offset, 1).then_some(Clause { tag, ..clause })
    };
    let handler = |(return_offset, frame_bytes, clauses): Handler| {
        let clauses = clauses.into_iter().map(clause).collect::<Option<_>>()?;
        is_inside(return_offset, 0).then_some(CallSite { return_offset, frame_bytes, clauses })
    };
    let location = |(start, end, wasm_offset): (u32, u32, u32)| {
        (start <= end && is_inside(end, 0)).then_some(Location { start, end, wasm_offset: wasm_offset.checked_add(body_offset)? })
    };
    let sound = head.alignment.is_power_of_two() && head.traps.iter().all(|(offset, _)| is_inside(*offset, 0));
    sound.then_some(CompiledFunction {
        code: code.to_vec(),
        alignment: head.alignment,
        relocations: head.relocations.into_iter().map(relocation).collect::<Option<_>>()?,
        numbers: head.numbers.into_iter().map(number).collect::<Option<_>>()?,
        traps: head.traps,
        handlers: head.handlers.into_iter().map(handler).collect::<Option<_>>()?,
        locations: head.locations.into_iter().map(location).collect::<Option<_>>()?,
    })
}

/// What a number is in a module.
pub type Value<'v> = &'v dyn Fn(Number) -> Option<u64>;

/// Fills in all numbers of a function. False when one of them means nothing here.
pub fn fill_in(function: &mut CompiledFunction, value: Value<'_>) -> bool {
    for NumberSite { offset, number } in std::mem::take(&mut function.numbers) {
        let place = function.code.get_mut(offset as usize..).and_then(|code| code.first_chunk_mut());
        let (Some(place), Some(value)) = (place, value(number)) else { return false };
        *place = value.to_le_bytes();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> CompiledFunction {
        CompiledFunction {
            code: vec![0x90; 40],
            alignment: 16,
            relocations: vec![Relocation { offset: 3, symbol: Symbol::Function(9), addend: -4 }],
            numbers: vec![NumberSite { offset: 20, number: Number::Signature(5) }],
            traps: vec![(7, TrapKind::Unreachable)],
            handlers: vec![CallSite { return_offset: 12, frame_bytes: 48, clauses: vec![clause(Some(6), 30), clause(None, 32)] }],
            locations: vec![Location { start: 0, end: 12, wasm_offset: 1005 }],
        }
    }

    fn clause(tag: Option<u32>, landing_offset: u32) -> Clause {
        Clause { tag, by_reference: tag.is_none(), landing_offset }
    }

    fn references(function: u32, signature: u32, tag: u32) -> References {
        let mut references = References::default();
        references.tags.take(tag);
        references.functions.take(function);
        references.signatures.take(signature);
        references
    }

    #[test]
    fn another_module_gets_its_own_indices_and_offsets() {
        let bytes = encode(&function(), Some(&references(9, 5, 6)), 1000).unwrap();
        let mut moved = decode(&bytes, Some(&references(90, 50, 60)), 2000).unwrap();
        assert_eq!(moved.relocations[0].symbol, Symbol::Function(90));
        assert_eq!(moved.locations[0].wasm_offset, 2005);
        assert_eq!(moved.handlers[0].clauses, [clause(Some(60), 30), clause(None, 32)]);
        assert!(fill_in(&mut moved, &|number| (number == Number::Signature(50)).then_some(0x1122)));
        assert_eq!((moved.code[20..28].to_vec(), moved.numbers.len()), (vec![0x22, 0x11, 0, 0, 0, 0, 0, 0], 0));
    }

    #[test]
    fn what_is_of_one_module_only_is_not_kept() {
        assert!(encode(&function(), Some(&references(8, 5, 6)), 0).is_none());
        assert!(encode(&function(), None, 0).is_some(), "of the same module it is");
    }

    #[test]
    fn a_damaged_entry_is_no_function() {
        let bytes = encode(&function(), None, 0).unwrap();
        assert!(decode(&bytes[..bytes.len() - 30], None, 0).is_none(), "its places lie outside its code");
        assert!(decode(&bytes[..3], None, 0).is_none());
        assert!(decode(&[255; 40], None, 0).is_none());
        assert!(decode(&bytes, Some(&References::default()), 0).is_none(), "there are no such slots");
    }
}
