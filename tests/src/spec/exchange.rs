//! What becomes of a member's exits: it calls, reads and changes other members through here. Values that travel are translated on the way.

use std::time::Instant;

use vivarium_artifact::ValueType;
use vivarium_runtime::{Exit, ForeignRequest, LinkedExit, Trap};

use super::linking::Place;
use super::store::{Call, End, Store};
use super::values::Typed;
use crate::engine::CALL_MAX;

impl Store {
    /// Calls a function with values of its own member.
    pub fn call_function(&mut self, (member, function): Place, arguments: &[u128]) -> Result<Call, String> {
        let instance = self.instance_mut(member);
        instance.invoke(function, arguments).map_err(|error| error.to_string())?;
        let call = self.resume(member)?;
        let instance = self.instance(member);
        let types = &instance.module().contract().function_type(function).expect("it was called").results;
        Ok(call.map(|()| (0..).zip(types).map(|(result, ty)| Typed { ty: *ty, bits: instance.result(result) }).collect()))
    }

    /// Resumes an instance until its call ends, answering its hostcalls and requests.
    pub fn resume(&mut self, member: usize) -> Result<Result<(), End>, String> {
        let deadline = Instant::now() + CALL_MAX;
        loop {
            match self.instance_mut(member).resume_linked() {
                LinkedExit::Plain(Exit::Done) => return Ok(Ok(())),
                LinkedExit::Plain(Exit::Trapped(trap)) => return Ok(Err(End::Trap(trap))),
                LinkedExit::Thrown(exception) => return Ok(Err(End::Thrown(exception))),
                LinkedExit::Plain(Exit::Preempted) if Instant::now() > deadline => {
                    return Err(format!("the call did not end within {CALL_MAX:?}"));
                }
                LinkedExit::Plain(Exit::Preempted) => {}
                LinkedExit::Plain(Exit::Hostcall { import }) => {
                    let place = self.member(member).owners.functions[import as usize];
                    match self.call_from(member, place)? {
                        Ok(results) => self.instance_mut(member).answer_bits(&results),
                        Err(End::Thrown(exception)) => self.instance_mut(member).answer_thrown(exception),
                        Err(End::Trap(trap)) => return Ok(Err(self.abandon(member, trap))),
                    }
                }
                LinkedExit::Foreign(ForeignRequest::Call { reference, .. }) => {
                    let place = self.named_function(member, reference).ok_or("a foreign reference names no function")?;
                    match self.call_from(member, place)? {
                        Ok(results) => self.instance_mut(member).answer_foreign(&results),
                        Err(End::Thrown(exception)) => self.instance_mut(member).answer_thrown(exception),
                        Err(End::Trap(trap)) => return Ok(Err(self.abandon(member, trap))),
                    }
                }
                LinkedExit::Foreign(request) => {
                    let answer = self.answer(member, request);
                    self.instance_mut(member).answer_foreign(&[answer]);
                }
            }
        }
    }

    /// Calls a function of another member with the arguments in the caller's cells; the results are the caller's values.
    fn call_from(&mut self, caller: usize, place: Place) -> Result<Result<Vec<u128>, End>, String> {
        let (from, to) = (self.module(caller), self.module(place.0));
        let types = to.contract().function_type(place.1).expect("owners have their functions").clone();
        let arguments: Vec<u128> = (0..).zip(&types.parameters).map(|(index, _)| self.instance(caller).argument_bits(index)).collect();
        let translated = types.parameters.iter().zip(arguments);
        let arguments: Vec<u128> = translated.map(|(ty, bits)| self.translate(*ty, bits, caller, (place.0, to.contract()))).collect();
        let back = (caller, from.contract());
        Ok(match self.call_function(place, &arguments)? {
            Ok(results) => Ok(results.into_iter().map(|result| self.translate(result.ty, result.bits, place.0, back)).collect()),
            Err(End::Thrown(exception)) => Err(End::Thrown(self.translate_exception(exception, place.0, back))),
            Err(end) => Err(end),
        })
    }

    /// Answers what a member needs of another, but for calls.
    fn answer(&mut self, member: usize, request: ForeignRequest) -> u128 {
        let module = self.module(member);
        let refused = u64::MAX;
        match request {
            ForeignRequest::MemoryGrow { memory, delta_pages } => {
                let place = self.member(member).owners.memories[memory as usize];
                self.instance_mut(place.0).grow_memory(place.1, delta_pages).unwrap_or(refused).into()
            }
            ForeignRequest::TableGrow { table, delta, reference } => {
                let (place, ty) = self.table(member, table);
                let owner = self.module(place.0);
                let reference = self.translate(ty, reference.into(), member, (place.0, owner.contract())) as u64;
                self.instance_mut(place.0).grow_table(place.1, delta, reference).unwrap_or(refused).into()
            }
            ForeignRequest::TableSize { table } => {
                let (place, _) = self.table(member, table);
                self.instance(place.0).table_length(place.1).expect("owners have their tables").into()
            }
            ForeignRequest::TableGet { table, index } => {
                let (place, ty) = self.table(member, table);
                let element = self.instance(place.0).table_element(place.1, index).expect("the guest has checked the index");
                self.translate(ty, element.into(), place.0, (member, module.contract()))
            }
            ForeignRequest::TableSet { table, index, reference } => {
                let (place, ty) = self.table(member, table);
                let owner = self.module(place.0);
                let reference = self.translate(ty, reference.into(), member, (place.0, owner.contract())) as u64;
                self.instance_mut(place.0).set_table_element(place.1, index, reference).expect("the guest has checked the index");
                0
            }
            ForeignRequest::GlobalGet { global } => {
                let place = self.member(member).owners.globals[global as usize];
                let ty = module.contract().globals[global as usize].ty.value;
                let value = self.instance(place.0).global(place.1);
                self.translate(ty, value, place.0, (member, module.contract()))
            }
            ForeignRequest::GlobalSet { global, reference } => {
                let place = self.member(member).owners.globals[global as usize];
                let ty = module.contract().globals[global as usize].ty.value;
                let owner = self.module(place.0);
                let value = self.translate(ty, reference.into(), member, (place.0, owner.contract()));
                self.instance_mut(place.0).set_global(place.1, value);
                0
            }
            ForeignRequest::HasType { reference, type_number } => {
                let has_type = |place: Place| {
                    let owner = self.contract(place.0);
                    module.contract().is_same_signature(type_number, owner, owner.function_types[place.1 as usize])
                };
                self.named_function(member, reference).is_some_and(has_type).into()
            }
            ForeignRequest::Call { .. } => unreachable!("calls are answered by whoever resumes"),
        }
    }

    fn table(&self, member: usize, table: u32) -> (Place, ValueType) {
        (self.member(member).owners.tables[table as usize], self.contract(member).tables[table as usize].element)
    }

    /// A trap in another member has ended what this one waits for.
    fn abandon(&mut self, member: usize, trap: Trap) -> End {
        self.instance_mut(member).abandon();
        End::Trap(trap)
    }
}
