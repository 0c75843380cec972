//! Switching between host and guest: the only machine code of the runtime.
//!
//! Kept true here: (a) host code never pushes on the guest's stack and never reads through its `rsp`: an exit saves registers in the activation's record, which
//! is host memory, and continues on the host's stack; a hostcall is resumed at the lone `ret` in the module's own text. (b) What the host needs again lies on its
//! own stack, at `host_rsp`: the address at which it goes on, then `rbx` and `rbp`; of all other registers the compiler is told that they are lost. (c) `gs`
//! points at the control block of the thread.
//!
//! The switch is expanded into whoever resumes, and leaves by jumps. So the processor's stack of return addresses stays in step: the call by which a guest leaves is
//! what the `ret` of its resumption is predicted from. Were the switch a function, both its own return and that one would be predicted wrong each time.

use std::arch::{asm, naked_asm};
use std::mem::offset_of;

use crate::sys::activation::{Activation, Interrupted};
use crate::sys::control::ControlBlock;

/// How a guest came back: below 2³² the number of a hostcall.
pub const DONE: u64 = 1 << 32;
pub const TRAPPED: u64 = 2 << 32;
pub const PREEMPTED: u64 = 3 << 32;

/// Lets a guest run as its activation says, until it is back; answers how.
///
/// # Safety
///
/// The control block at `gs` names this activation and its slot; `pc` lies in the text of that slot's module, which is mapped, and the other registers are what is
/// expected there: those of a call of an entry trampoline, of a hostcall that left, or of a landing.
#[inline(always)]
pub unsafe fn switch(activation: *const Activation) -> u64 {
    let left: u64;
    // SAFETY: (a) to (c), and what the caller keeps. Nothing is popped that was not pushed, and the red zone is the compiler's to keep clear of.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov gs:[{host_rsp}], rsp",
            "mov rax, [rcx + {pc}]",
            "mov rsp, [rcx + {rsp}]",
            "mov rbp, [rcx + {rbp}]",
            "mov rbx, [rcx + {rbx}]",
            "mov r12, [rcx + {r12}]",
            "mov r13, [rcx + {r13}]",
            "mov r14, [rcx + {r14}]",
            "mov r15, [rcx + {r15}]",
            "mov rdi, [rcx + {rdi}]",
            "mov rsi, [rcx + {rsi}]",
            // No general register has anything of the host's; what vector registers hold is left.
            "xor ecx, ecx",
            "xor edx, edx",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "jmp rax",
            "2:",
            "pop rbx",
            "pop rbp",
            host_rsp = const offset_of!(ControlBlock, host_rsp),
            pc = const offset_of!(Activation, pc),
            rsp = const offset_of!(Activation, rsp),
            rbp = const offset_of!(Activation, rbp),
            rbx = const offset_of!(Activation, rbx),
            r12 = const offset_of!(Activation, r12),
            r13 = const offset_of!(Activation, r13),
            r14 = const offset_of!(Activation, r14),
            r15 = const offset_of!(Activation, r15),
            rdi = const offset_of!(Activation, rdi),
            rsi = const offset_of!(Activation, rsi),
            inout("rcx") activation => _,
            lateout("rax") left,
            lateout("r12") _,
            lateout("r13") _,
            lateout("r14") _,
            lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    left
}

/// Calls an entry trampoline on the guest's stack, until the guest is back; answers how. The word at the stack pointer stands for a return address: the image has zero there.
///
/// # Safety
///
/// As for [`switch`], of these four.
#[inline(always)]
pub unsafe fn call(trampoline: u64, vmctx: u64, callee: u64, stack_pointer: u64) -> u64 {
    let left: u64;
    // SAFETY: as in `switch`.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov gs:[{host_rsp}], rsp",
            "mov rsp, rcx",
            // As above.
            "xor eax, eax",
            "xor ebp, ebp",
            "xor ebx, ebx",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "jmp rdx",
            "2:",
            "pop rbx",
            "pop rbp",
            host_rsp = const offset_of!(ControlBlock, host_rsp),
            inout("rdi") vmctx => _,
            inout("rsi") callee => _,
            inout("rdx") trampoline => _,
            inout("rcx") stack_pointer => _,
            lateout("rax") left,
            lateout("r12") _,
            lateout("r13") _,
            lateout("r14") _,
            lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    left
}

/// Where the hostcall thunk leads: guest's registers, guest's stack; the number is the second argument.
#[unsafe(naked)]
pub unsafe extern "C" fn hostcall_exit() {
    naked_asm!(
        "mov rax, gs:[{activation}]",
        "mov [rax + {rsp}], rsp",
        "mov [rax + {rbp}], rbp",
        "mov [rax + {rbx}], rbx",
        "mov [rax + {r12}], r12",
        "mov [rax + {r13}], r13",
        "mov [rax + {r14}], r14",
        "mov [rax + {r15}], r15",
        "mov rsp, gs:[{host_rsp}]",
        "mov eax, esi",
        "pop rcx",
        "jmp rcx",
        activation = const offset_of!(ControlBlock, activation),
        host_rsp = const offset_of!(ControlBlock, host_rsp),
        rsp = const offset_of!(Activation, rsp),
        rbp = const offset_of!(Activation, rbp),
        rbx = const offset_of!(Activation, rbx),
        r12 = const offset_of!(Activation, r12),
        r13 = const offset_of!(Activation, r13),
        r14 = const offset_of!(Activation, r14),
        r15 = const offset_of!(Activation, r15),
    )
}

macro_rules! leave {
    ($left:expr) => {
        naked_asm!(
            "mov rsp, gs:[{host_rsp}]",
            "movabs rax, {left}",
            "pop rcx",
            "jmp rcx",
            host_rsp = const offset_of!(ControlBlock, host_rsp),
            left = const $left,
        )
    };
}

/// Where the done thunk leads.
#[unsafe(naked)]
pub unsafe extern "C" fn done_exit() {
    leave!(DONE)
}

/// Where the handler continues after a trap.
#[unsafe(naked)]
pub unsafe extern "C" fn trap_exit() {
    leave!(TRAPPED)
}

/// Where the handler continues after it saved a preempted guest.
#[unsafe(naked)]
pub unsafe extern "C" fn preempt_exit() {
    leave!(PREEMPTED)
}

/// Goes on where a guest was preempted: vector state, general registers, then program counter, flags and stack at once. Answers as [`switch`] does.
///
/// # Safety
///
/// As for [`switch`]; what was saved is of a guest of this slot.
#[unsafe(naked)]
pub unsafe extern "C" fn continue_guest(interrupted: *const Interrupted) -> u64 {
    naked_asm!(
        "push r12", "push r13", "push r14", "push r15", "push rbp", "push rbx",
        "lea rax, [rip + 2f]",
        "push rax",
        "mov gs:[{host_rsp}], rsp",
        "fxrstor64 [rdi + {vector}]",
        "add rdi, {general}",
        "mov r8, [rdi]", "mov r9, [rdi + 8]", "mov r10, [rdi + 16]", "mov r11, [rdi + 24]",
        "mov r12, [rdi + 32]", "mov r13, [rdi + 40]", "mov r14, [rdi + 48]", "mov r15, [rdi + 56]",
        "mov rsi, [rdi + 72]", "mov rbp, [rdi + 80]", "mov rbx, [rdi + 88]",
        "mov rdx, [rdi + 96]", "mov rax, [rdi + 104]", "mov rcx, [rdi + 112]",
        "lea rsp, [rdi + 128]",
        "mov rdi, [rdi + 64]",
        "iretq",
        "2:",
        "pop rbx", "pop rbp", "pop r15", "pop r14", "pop r13", "pop r12",
        "ret",
        host_rsp = const offset_of!(ControlBlock, host_rsp),
        vector = const offset_of!(Interrupted, vector),
        general = const offset_of!(Interrupted, general),
    )
}
