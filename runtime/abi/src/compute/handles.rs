//! What a guest has handles to: one bounded list of objects of every kind.
//!
//! ```text
//! handle = stamp · 2^10 + place      a place that is used again gets another stamp, so an old handle names nothing
//! ```
//! A handle of another kind is no handle, nor is one of another request: the stamps of two requests begin far apart.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::body::Body;
use super::fetches::FetchId;
use super::message::{Request, Response};
use super::send::StreamTo;
use super::stores::StoreRef;
use super::{Status, Stop, kv, log};
use crate::limit::LimitReached;

const PLACE_BITS: u32 = 10;
/// Handles of one request at the same time.
pub(super) const HANDLES_MAX: usize = 1 << PLACE_BITS;
/// Beyond it lie the numbers that guests use for "no handle".
const STAMP_MAX: u32 = (u32::MAX >> PLACE_BITS) - 1;

/// What an object takes beside its contents, in bytes.
const OBJECT_COST_BYTES: u64 = 256;

/// Where the stamps of the next request begin.
static NEXT_STAMP: AtomicU32 = AtomicU32::new(1);

/// Anything that a handle may mean.
#[derive(Debug)]
pub(crate) enum Object {
    Request(Box<Request>),
    Response(Box<Response>),
    Body(Body),
    Stream(StreamTo),
    Pending(FetchId),
    Endpoint(log::Endpoint),
    Store(StoreRef),
    Secret(Bytes),
    Lookup(kv::Lookup),
    Change(kv::Change),
    Listing(kv::Listing),
}

impl Object {
    fn cost(&self) -> u64 {
        OBJECT_COST_BYTES
            + match self {
                Object::Request(request) => request.cost(),
                Object::Response(response) => response.headers.cost(),
                Object::Body(body) => body.cost(),
                Object::Endpoint(endpoint) => endpoint.name.len() as u64,
                Object::Secret(secret) => secret.len() as u64,
                Object::Lookup(lookup) => lookup.cost(),
                Object::Listing(listing) => listing.cost(),
                Object::Stream(_) | Object::Pending(_) | Object::Store(_) | Object::Change(_) => 0,
            }
    }
}

/// One kind of object.
pub(crate) trait Kind: Sized {
    fn wrap(self) -> Object;
    fn unwrap(object: Object) -> Option<Self>;
    fn of(object: &Object) -> Option<&Self>;
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
}

macro_rules! kinds {
    ($($kind:ty => $variant:ident,)*) => {
        $(impl Kind for $kind {
            fn wrap(self) -> Object {
                Object::$variant(self)
            }
            fn unwrap(object: Object) -> Option<Self> {
                if let Object::$variant(inner) = object { Some(inner) } else { None }
            }
            fn of(object: &Object) -> Option<&Self> {
                if let Object::$variant(inner) = object { Some(inner) } else { None }
            }
            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$variant(inner) = object { Some(inner) } else { None }
            }
        })*
    };
}

kinds! {
    Box<Request> => Request,
    Box<Response> => Response,
    Body => Body,
    StreamTo => Stream,
    FetchId => Pending,
    log::Endpoint => Endpoint,
    StoreRef => Store,
    Bytes => Secret,
    kv::Lookup => Lookup,
    kv::Change => Change,
    kv::Listing => Listing,
}

#[derive(Debug)]
struct Place {
    stamp: u32,
    object: Object,
}

/// The objects of one request.
#[derive(Debug)]
pub(super) struct Handles {
    places: Vec<Option<Place>>,
    free: Vec<u32>,
    next_stamp: u32,
    /// What all objects take, in bytes.
    held_bytes: u64,
    held_bytes_max: u64,
}

impl Handles {
    pub(super) fn new(held_bytes_max: u64) -> Handles {
        let next_stamp = NEXT_STAMP.fetch_add(HANDLES_MAX as u32, Ordering::Relaxed) % STAMP_MAX;
        Handles { places: Vec::new(), free: Vec::new(), next_stamp, held_bytes: 0, held_bytes_max }
    }

    /// What all objects take, in bytes.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// How much more objects may hold.
    pub(super) fn room(&self) -> u64 {
        self.held_bytes_max.saturating_sub(self.held_bytes)
    }

    /// Fails when so much more would be too much: asked before anything large is copied.
    pub(super) fn require_room(&self, bytes: u64) -> Result<(), Stop> {
        if bytes > self.room() { Err(self.too_much()) } else { Ok(()) }
    }

    fn too_much(&self) -> Stop {
        Stop::Limit(LimitReached::buffered(self.held_bytes_max))
    }

    /// Every handle that means something.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<u32> {
        let taken = self.places.iter().enumerate().filter_map(|(n, place)| Some((n as u32, place.as_ref()?.stamp)));
        taken.map(|(n, stamp)| (stamp << PLACE_BITS) | n).collect()
    }

    /// Gives an object a handle.
    pub(super) fn insert(&mut self, object: impl Kind) -> Result<u32, Stop> {
        let object = object.wrap();
        let cost = object.cost();
        self.require_room(cost)?;
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() < HANDLES_MAX => {
                self.places.push(None);
                self.places.len() as u32 - 1
            }
            None => return Err(Status::LimitExceeded.into()),
        };
        self.next_stamp = (self.next_stamp + 1) % STAMP_MAX;
        self.held_bytes += cost;
        self.places[place as usize] = Some(Place { stamp: self.next_stamp, object });
        Ok((self.next_stamp << PLACE_BITS) | place)
    }

    fn place(&self, handle: u32) -> Result<usize, Status> {
        let place = handle as usize % HANDLES_MAX;
        let found = self.places.get(place).and_then(Option::as_ref).filter(|found| found.stamp == handle >> PLACE_BITS);
        found.map(|_| place).ok_or(Status::BadHandle)
    }

    /// The object that a handle means, whatever its kind.
    pub(super) fn any(&self, handle: u32) -> Result<&Object, Status> {
        let place = self.place(handle)?;
        self.places[place].as_ref().map(|place| &place.object).ok_or(Status::BadHandle)
    }

    pub(super) fn get<K: Kind>(&self, handle: u32) -> Result<&K, Status> {
        K::of(self.any(handle)?).ok_or(Status::BadHandle)
    }

    pub(super) fn is<K: Kind>(&self, handle: u32) -> bool {
        self.get::<K>(handle).is_ok()
    }

    /// Changes an object. Fails when all objects take too much then: that ends the program.
    pub(super) fn change<K: Kind, R>(&mut self, handle: u32, change: impl FnOnce(&mut K) -> Result<R, Stop>) -> Result<R, Stop> {
        let place = self.place(handle)?;
        let object = self.places[place].as_mut().map(|place| &mut place.object).ok_or(Status::BadHandle)?;
        let before = object.cost();
        let result = change(K::of_mut(object).ok_or(Status::BadHandle)?);
        let after = object.cost();
        self.held_bytes = self.held_bytes - before + after;
        if after > before && self.held_bytes > self.held_bytes_max {
            return Err(self.too_much());
        }
        result
    }

    /// Takes an object from its handle, which means nothing from then on.
    pub(super) fn take<K: Kind>(&mut self, handle: u32) -> Result<K, Status> {
        self.get::<K>(handle)?;
        let object = self.close(handle)?;
        K::unwrap(object).ok_or(Status::BadHandle)
    }

    /// As [`Handles::take`], whatever its kind.
    pub(super) fn close(&mut self, handle: u32) -> Result<Object, Status> {
        let place = self.place(handle)?;
        let taken = self.places[place].take().ok_or(Status::BadHandle)?;
        self.free.push(place as u32);
        self.held_bytes -= taken.object.cost();
        Ok(taken.object)
    }

    /// Puts another object behind a handle; what it meant before.
    pub(super) fn replace<K: Kind>(&mut self, handle: u32, object: impl Kind) -> Result<K, Status> {
        self.get::<K>(handle)?;
        let place = self.place(handle)?;
        let behind = self.places[place].as_mut().map(|place| &mut place.object).ok_or(Status::BadHandle)?;
        let before = std::mem::replace(behind, object.wrap());
        self.held_bytes = self.held_bytes - before.cost() + behind.cost();
        K::unwrap(before).ok_or(Status::BadHandle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn a_closed_handle_and_one_of_another_kind_mean_nothing() {
        let mut handles = Handles::new(1 << 20);
        let first = handles.insert(secret("a")).unwrap();
        assert_eq!(handles.get::<Bytes>(first).unwrap(), "a");
        assert_eq!(handles.get::<Body>(first).unwrap_err(), Status::BadHandle);
        assert_eq!(handles.take::<Body>(first).unwrap_err(), Status::BadHandle);
        assert_eq!(handles.take::<Bytes>(first).unwrap(), "a");
        let second = handles.insert(secret("b")).unwrap();
        assert_eq!(first % HANDLES_MAX as u32, second % HANDLES_MAX as u32, "the place is used again");
        assert_eq!(handles.get::<Bytes>(first).unwrap_err(), Status::BadHandle);
        for stranger in [0, 1, u32::MAX, u32::MAX - 1, second + 1] {
            assert_eq!(handles.any(stranger).map(|_| ()).unwrap_err(), Status::BadHandle, "{stranger}");
        }
    }

    #[test]
    fn handles_of_another_request_mean_nothing() {
        let (mut one, mut other) = (Handles::new(1 << 20), Handles::new(1 << 20));
        let handle = one.insert(secret("a")).unwrap();
        other.insert(secret("b")).unwrap();
        assert_eq!(other.get::<Bytes>(handle).unwrap_err(), Status::BadHandle);
    }

    #[test]
    fn handles_and_what_they_hold_are_bounded() {
        let mut handles = Handles::new(1 << 20);
        let all: Vec<u32> = (0..HANDLES_MAX).map(|_| handles.insert(secret("a")).unwrap()).collect();
        assert!(matches!(handles.insert(secret("a")), Err(Stop::Status(Status::LimitExceeded))));
        assert!(all.iter().all(|handle| *handle < u32::MAX - 1));
        for handle in all {
            handles.close(handle).unwrap();
        }
        assert_eq!(handles.held_bytes(), 0);
        let large = Bytes::from(vec![0; 1 << 20]);
        let Err(Stop::Limit(reached)) = handles.insert(large) else { panic!("more than there is room for") };
        assert_eq!(reached.name, "buffered_bytes_max");
    }
}
