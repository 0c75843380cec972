//! What is known of the visitor's connection. Most of what a network of servers knows, a single one does not: that is answered as absent.
//!
//! Functions that take a request handle and those that take none (of older guests) differ by where their arguments begin.

use std::net::IpAddr;

use super::arguments::{Buffer, Out, number};
use super::message::{Message as _, Request};
use super::multi::Portion;
use super::{Status, Stop};
use crate::guest::Call;

/// The first argument after a request handle, which must mean a request.
fn after_request(call: &Call<'_>) -> Result<u32, Stop> {
    call.host.compute.handles.get::<Box<Request>>(number(call.instance, 0))?;
    Ok(1)
}

pub(crate) fn peer_address(call: &mut Call<'_>) -> Result<(), Stop> {
    let first = after_request(call)?;
    address(call, first, call.host.compute.exchange.peer)
}

pub(crate) fn peer_address_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    address(call, 0, call.host.compute.exchange.peer)
}

pub(crate) fn local_address(call: &mut Call<'_>) -> Result<(), Stop> {
    let first = after_request(call)?;
    address(call, first, call.host.compute.exchange.local)
}

pub(crate) fn local_address_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    address(call, 0, call.host.compute.exchange.local)
}

/// Guests have room for the longest address, whatever is written.
const ADDRESS_BYTES_MAX: u64 = 16;

fn address(call: &mut Call<'_>, first: u32, address: Option<IpAddr>) -> Result<(), Stop> {
    let octets = call.pointer(first);
    octets.check(call.instance, ADDRESS_BYTES_MAX)?;
    let written = Out::<4>::at(call.instance, first + 1)?;
    let bytes = match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().to_vec(),
        None => Vec::new(),
    };
    octets.write(call.instance, &bytes)?;
    written.set_u32(call.instance, bytes.len() as u32)
}

pub(crate) fn request_id(call: &mut Call<'_>) -> Result<(), Stop> {
    let first = after_request(call)?;
    id(call, first)
}

pub(crate) fn request_id_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    id(call, 0)
}

fn id(call: &mut Call<'_>, first: u32) -> Result<(), Stop> {
    let id = format!("{:032x}", call.host.compute.exchange.id);
    Buffer::at(call.instance, first)?.fill(call.instance, id.as_bytes())
}

/// Names of the request's headers, in lower case: the spelling that the visitor sent is not kept.
pub(crate) fn header_names(call: &mut Call<'_>) -> Result<(), Stop> {
    let first = after_request(call)?;
    names(call, number(call.instance, 0), first)
}

pub(crate) fn header_names_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    let (request, _) = call.host.compute.exchange.given.ok_or(Status::None)?;
    names(call, request, 0)
}

fn names(call: &mut Call<'_>, request: u32, first: u32) -> Result<(), Stop> {
    let portion = Portion::at(call.instance, first)?;
    let request = call.host.compute.handles.get::<Box<Request>>(request)?;
    portion.fill(call.instance, request.headers().map().keys().map(|name| name.as_str().as_bytes()))
}

pub(crate) fn header_count(call: &mut Call<'_>) -> Result<(), Stop> {
    let first = after_request(call)?;
    count(call, number(call.instance, 0), first)
}

pub(crate) fn header_count_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    let (request, _) = call.host.compute.exchange.given.ok_or(Status::None)?;
    count(call, request, 0)
}

fn count(call: &mut Call<'_>, request: u32, first: u32) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, first)?;
    let request = call.host.compute.handles.get::<Box<Request>>(request)?;
    out.set_u32(call.instance, request.headers().map().keys_len() as u32)
}

/// A question whose answer is no, or nothing.
pub(crate) fn no(call: &mut Call<'_>) -> Result<(), Stop> {
    let first = after_request(call)?;
    Out::<4>::at(call.instance, first)?.set_u32(call.instance, 0)
}

pub(crate) fn no_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    Out::<4>::at(call.instance, 0)?.set_u32(call.instance, 0)
}

/// A text or some bytes that there are none of.
pub(crate) fn absent(call: &mut Call<'_>) -> Result<(), Stop> {
    after_request(call)?;
    Err(Status::None.into())
}

pub(crate) fn absent_v1(_: &mut Call<'_>) -> Result<(), Stop> {
    Err(Status::None.into())
}
