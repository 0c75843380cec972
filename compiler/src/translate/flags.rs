//! How memory is accessed: what may trap, and which accesses can never be to the same place.

use std::borrow::Cow;

use cranelift_codegen::ir::{AliasRegion, AliasRegionData, Endianness, Function, MemFlagsData};
use vivarium_artifact::TrapKind;

use super::trap_code;

/// Flags for each kind of place. Places of different kinds do not overlap, so the optimiser may keep a value across accesses to the others.
#[derive(Debug, Clone, Copy)]
pub struct Regions {
    /// Linear memory: may trap, aligned to nothing.
    pub memory: MemFlagsData,
    /// Lengths in the context.
    pub lengths: MemFlagsData,
    pub cells: MemFlagsData,
    pub globals: MemFlagsData,
    /// Elements of tables: the address is null when the index is out of bounds.
    pub tables: MemFlagsData,
    /// The text.
    pub text: MemFlagsData,
}

impl Regions {
    /// Declares the regions in a function.
    pub fn declare(function: &mut Function) -> Regions {
        let mut number = 0;
        let mut region = |description: &'static str| {
            number += 1;
            let data = AliasRegionData { user_id: number, description: Cow::Borrowed(description) };
            Some(function.dfg.alias_regions.insert(data))
        };
        let trusted = |region: Option<AliasRegion>| MemFlagsData::trusted().with_alias_region(region);
        let trapping = |region: Option<AliasRegion>, kind| {
            MemFlagsData::new().with_alias_region(region).with_trap_code(Some(trap_code(kind))).with_endianness(Endianness::Little)
        };
        Regions {
            memory: trapping(region("memory"), TrapKind::MemoryOutOfBounds),
            lengths: trusted(region("lengths")),
            cells: trusted(region("cells")),
            globals: trusted(region("globals")),
            tables: trapping(region("tables"), TrapKind::TableOutOfBounds).with_aligned(),
            text: trusted(region("text")).with_readonly(),
        }
    }
}
