/*
 * What 128-bit division in compiler-rt refers to: it was built with stack protectors, wasi-libc without them. Linked lazily, and in a
 * file of its own so that a program that defines one of the two names gets no second definition of the other.
 */
#include <stdint.h>

uintptr_t __stack_chk_guard = 0x5a17e0ff;

_Noreturn void __stack_chk_fail(void) {
    __builtin_trap();
}
