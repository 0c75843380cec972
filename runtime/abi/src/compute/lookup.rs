//! What is known of addresses, devices and the program itself.

use super::Stop;
use super::arguments::{Buffer, Out, bytes, text};
use super::{Status, arguments};
use crate::guest::Call;

/// Where an address is: this server does not know, and says so in an empty object.
pub(crate) fn geo(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 2)?;
    match bytes(call.instance, 0)?.len() {
        4 | 16 => buffer.fill(call.instance, b"{}"),
        _ => Err(Status::Inval.into()),
    }
}

/// Which device a user agent means: unknown.
pub(crate) fn device(call: &mut Call<'_>) -> Result<(), Stop> {
    Buffer::at(call.instance, 2)?;
    text(call.instance, 0)?;
    Err(Status::None.into())
}

/// Browsers and tools by the word before their version in a user agent; what imitates another comes before it.
const AGENTS: [(&str, &str); 7] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
];

/// Family and version of a user agent, each part by itself.
pub(crate) fn user_agent(call: &mut Call<'_>) -> Result<(), Stop> {
    let agent = text(call.instance, 0)?;
    let found = AGENTS.iter().find_map(|(word, family)| Some((*family, agent.split_once(word)?.1)));
    let (family, version) = found.unwrap_or(("Other", ""));
    let version = version.split(|character: char| !character.is_ascii_digit() && character != '.').next().unwrap_or_default();
    let mut parts = version.split('.').map(str::to_owned);
    let mut values = vec![family.to_owned()];
    values.extend((0..3).map(|_| parts.next().unwrap_or_default()));
    let buffers = [2, 5, 8, 11].map(|n| Buffer::at(call.instance, n));
    let buffers = buffers.into_iter().collect::<Result<Vec<_>, _>>()?;
    buffers.into_iter().zip(values).try_for_each(|(buffer, value)| buffer.fill(call.instance, value.as_bytes()))
}

/// Processor time of the program, what the host did for it included.
pub(crate) fn cpu_ms(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<8>::at(call.instance, 0)?;
    let ms = u64::try_from(call.instance.ran().as_millis()).unwrap_or(u64::MAX);
    out.set_u64(call.instance, ms)
}

/// Its memory, in MiB.
pub(crate) fn heap_mib(call: &mut Call<'_>) -> Result<(), Stop> {
    const MIB: usize = 1 << 20;
    let out = arguments::Out::<4>::at(call.instance, 0)?;
    let mib = call.instance.memory().len().div_ceil(MIB) as u32;
    out.set_u32(call.instance, mib)
}
