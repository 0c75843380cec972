//! Questions about backends, by name. A deployment has none unless it names them.

use super::arguments::{Out, text};
use super::{Status, Stop};
use crate::guest::Call;

pub(crate) fn exists(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 2)?;
    text(call.instance, 0)?;
    out.set_u32(call.instance, 0)
}

/// Anything else about one that does not exist.
pub(crate) fn unknown(call: &mut Call<'_>) -> Result<(), Stop> {
    text(call.instance, 0)?;
    Err(Status::Inval.into())
}
