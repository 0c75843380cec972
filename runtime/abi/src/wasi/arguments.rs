//! Arguments and environment.

use super::Stop;
use crate::guest::{Call, GuestInstance, GuestPtr};
use crate::strings::StringList;

pub(crate) fn args_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let (pointers, bytes) = (call.pointer(0), call.pointer(1));
    copy(&call.host.arguments, call.instance, pointers, bytes)
}

pub(crate) fn args_sizes_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let (count, size) = (call.pointer(0), call.pointer(1));
    sizes(&call.host.arguments, call.instance, count, size)
}

pub(crate) fn environ_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let (pointers, bytes) = (call.pointer(0), call.pointer(1));
    copy(&call.host.environment, call.instance, pointers, bytes)
}

pub(crate) fn environ_sizes_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let (count, size) = (call.pointer(0), call.pointer(1));
    sizes(&call.host.environment, call.instance, count, size)
}

fn copy(list: &StringList, instance: &mut dyn GuestInstance, pointers: GuestPtr, bytes: GuestPtr) -> Result<(), Stop> {
    pointers.check(instance, 4 * list.starts().len() as u64)?;
    bytes.write(instance, list.bytes())?;
    for (n, start) in list.starts().iter().enumerate() {
        let string = bytes.plus(u64::from(*start)).as_guest_u32();
        pointers.plus(4 * n as u64).write_u32(instance, string)?;
    }
    Ok(())
}

fn sizes(list: &StringList, instance: &mut dyn GuestInstance, count: GuestPtr, size: GuestPtr) -> Result<(), Stop> {
    count.check(instance, 4)?;
    size.check(instance, 4)?;
    count.write_u32(instance, list.starts().len() as u32)?;
    size.write_u32(instance, list.bytes().len() as u32)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::host::{Host, HostInput, HostLimits};
    use crate::testing::{Guest, check, host, host_with};

    fn host_with_strings() -> Host {
        let arguments = vec!["fern".to_string(), "ä".to_string()];
        let environment = vec![("A".to_string(), "1".to_string()), ("B".to_string(), String::new())];
        host_with(HostInput { arguments, environment, ..HostInput::default() }, HostLimits::default())
    }

    #[test]
    fn arguments_are_laid_out_for_argv() {
        let (mut host, mut guest) = (host_with_strings(), Guest::with_memory(64));
        check(&mut host, &mut guest, "args_sizes_get", &[0, 4], 0);
        assert_eq!((guest.u32_at(0), guest.u32_at(4)), (2, 8));
        check(&mut host, &mut guest, "args_get", &[8, 32], 0);
        assert_eq!((guest.u32_at(8), guest.u32_at(12)), (32, 37));
        assert_eq!(&guest.memory[32..40], "fern\0ä\0".as_bytes());
    }

    #[test]
    fn variables_are_name_and_value() {
        let (mut host, mut guest) = (host_with_strings(), Guest::with_memory(64));
        check(&mut host, &mut guest, "environ_sizes_get", &[60, 56], 0);
        assert_eq!((guest.u32_at(60), guest.u32_at(56)), (2, 7));
        check(&mut host, &mut guest, "environ_get", &[0, 57], 0);
        assert_eq!((guest.u32_at(0), guest.u32_at(4)), (57, 61));
        assert_eq!(&guest.memory[57..64], b"A=1\0B=\0");
    }

    #[test]
    fn nothing_needs_no_room() {
        let mut guest = Guest::with_memory(8);
        check(&mut host(), &mut guest, "args_get", &[8, 8], 0);
        check(&mut host(), &mut guest, "args_sizes_get", &[0, 4], 0);
        check(&mut host(), &mut guest, "args_get", &[9, 8], 21);
    }

    #[test]
    fn a_bad_address_changes_nothing() {
        let (mut host, mut guest) = (host_with_strings(), Guest::with_memory(64));
        let before = guest.memory.clone();
        for arguments in [[0, 57], [57, 0], [u32::MAX, 0], [0, u32::MAX], [u32::MAX - 7, 8]] {
            check(&mut host, &mut guest, "args_get", &arguments.map(u64::from), 21);
        }
        check(&mut host, &mut guest, "args_sizes_get", &[0, 61], 21);
        check(&mut host, &mut guest, "args_sizes_get", &[61, 0], 21);
        assert_eq!(guest.memory, before);
    }
}
