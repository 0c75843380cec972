//! Programs that are made to exhaust a compiler: each ends by itself or at a limit, and its job's folder is gone. The limits are lowered so that this is
//! quick; `make bombs` sets off all of them, `make test` every fifth.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use support::{JAILS, folder, try_build};
use vivarium_toolchains::{BuildError, BuildLimits, JailKind, Language};

/// Set to `all` it sets off every bomb.
const BOMBS: &str = "VIVARIUM_BOMBS";
const EVERY: usize = 5;

const LIMITS: BuildLimits = BuildLimits {
    build_wall_ms: 6_000,
    build_cpu_ms: 3_000,
    build_memory_bytes_max: 1 << 30,
    build_file_bytes_max: 32 << 20,
    build_output_bytes_max: 128 << 10,
    wasm_bytes_max: 16 << 20,
    source_bytes_max: 256 << 10,
};
/// What starting and ending take beside the wall, where others compile too.
const GRACE: Duration = Duration::from_secs(20);

type Bomb = (&'static str, String);

fn doubling(levels: usize, first: &str, step: impl Fn(usize) -> String) -> String {
    (1..=levels).fold(first.to_owned(), |text, level| text + &step(level))
}

fn c_bombs() -> Vec<Bomb> {
    let macros = |levels| doubling(levels, "#define A0 x +\n", |n| format!("#define A{n} A{0} A{0}\n", n - 1));
    let in_main = |body: &str| format!("int x;\nint main(void) {{ {body} }}\n");
    let parts = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
    vec![
        ("macros that double", macros(40) + &in_main("return A40 0;")),
        ("macros that double a little", macros(22) + &in_main("return A22 0;")),
        (
            "a string that doubles",
            doubling(32, "#define S0 \"xxxxxxxx\"\n", |n| format!("#define S{n} S{0} S{0}\n", n - 1))
                + "const char *s = S32;\nint main(void) { return s[1]; }\n",
        ),
        (
            "an assembler that repeats",
            "__asm__(\".section .data.x,\\\"\\\",@\\n.rept 2000000000\\n.int8 0\\n.endr\\n\");\n".to_owned() + &in_main("return 0;"),
        ),
        ("an assembler that fills", "__asm__(\".section .data.x,\\\"\\\",@\\n.skip 1900000000\\n\");\n".to_owned() + &in_main("return 0;")),
        ("an array of 1.9 GB", "char x[1900000000] = {1};\nint main(void) { return x[1]; }\n".to_owned()),
        ("an array of 1.9 GB that is zero", "char x[1900000000];\nint main(void) { return x[1]; }\n".to_owned()),
        ("a last element far away", "int x[] = {[400000000] = 1};\nint main(void) { return x[1]; }\n".to_owned()),
        ("itself included", "#include \"main.c\"\n".to_owned()),
        ("itself included twice", "#if __COUNTER__ < 100000\n#include \"main.c\"\n#include \"main.c\"\n#endif\n".to_owned()),
        ("deep parentheses", in_main(&format!("return {}1{};", "(".repeat(100_000), ")".repeat(100_000)))),
        ("deep blocks", in_main(&format!("{}{} return 0;", "{".repeat(100_000), "}".repeat(100_000)))),
        ("deep pointers", format!("int {}x;\n", "*".repeat(200_000)) + "int main(void) { return 0; }\n"),
        ("deep arrays", format!("int x{};\n", "[1]".repeat(80_000)) + "int main(void) { return 0; }\n"),
        (
            "deep structures",
            doubling(2_000, "struct S0 { int x; };\n", |n| format!("struct S{n} {{ struct S{0} a, b; }};\n", n - 1))
                + "int main(void) { return sizeof(struct S2000); }\n",
        ),
        ("many functions", parts(6_500, &|n| format!("int f{n}(int x){{return x+{n};}}")) + "int main(void) { return 0; }\n"),
        ("many cases", in_main(&format!("switch (x) {{ {} }} return 0;", parts(16_000, &|n| format!("case {n}:x++;"))))),
        ("a case range of everything", in_main("switch (x) { case 0 ... 2147483647: x++; } return 0;")),
        ("many warnings", parts(12_000, &|n| format!("#warning {n}\n")) + &in_main("return 0;")),
        ("many errors", parts(30_000, &|n| format!("q{n};")) + &in_main("return 0;")),
        ("a long line", format!("int x; // {}\n", "x".repeat(250_000)) + "int main(void) { return 0; }\n"),
        ("a long name", format!("int {}; int main(void) {{ return 0; }}\n", "x".repeat(250_000))),
        (
            "a vector of a million",
            "typedef int v __attribute__((vector_size(1048576)));\nv a, b;\nint main(void) { a = a * b + a / b; return a[1]; }\n"
                .to_owned(),
        ),
        (
            "integers of a million bits",
            "typedef unsigned _BitInt(8388608) big;\nbig a, b;\nint main(void) { a = a / b; return (int)a; }\n".to_owned(),
        ),
        (
            "a loop that is unrolled",
            in_main("int s = 0;\n#pragma clang loop unroll(full)\nfor (int i = 0; i < 1000000; i++) { s += x * i; x ^= s; } return s;"),
        ),
    ]
}

fn cpp_bombs() -> Vec<Bomb> {
    let main = "int main() { return 0; }\n";
    let uses = |head: &str, used: &str| format!("{head}\nint main() {{ return {used}; }}\n");
    vec![
        (
            "templates that double",
            uses(
                "template<int N, int M> struct F { static constexpr int v = F<N-1, 2*M>::v + F<N-1, 2*M+1>::v; };\ntemplate<int M> struct F<0, M> { static constexpr int v = 1; };",
                "F<30, 0>::v",
            ),
        ),
        ("templates without end", uses("template<int N> struct F { static constexpr int v = F<N+1>::v; };", "F<0>::v")),
        ("types that grow", uses("template<class T> struct P { static constexpr int v = P<P<T>>::v; };", "P<int>::v")),
        (
            "types that double",
            uses(
                "template<class A, class B> struct Q {};\ntemplate<int N> struct T { using t = Q<typename T<N-1>::t, typename T<N-1>::t>; };\ntemplate<> struct T<0> { using t = int; };\nvoid f(T<40>::t) {}",
                "0",
            ),
        ),
        ("an endless constant", uses("constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();", "x")),
        ("a deep constant", uses("constexpr int f(int n) { return n ? f(n-1) + f(n-1) : 1; }\nconstexpr int x = f(40);", "x")),
        (
            "a constant that allocates",
            uses(
                "constexpr int f() { for (int i = 0; i < 100000000; i++) { int *p = new int[1000]; p[0] = i; } return 1; }\nconstexpr int x = f();",
                "x",
            ),
        ),
        (
            "a large constant array",
            uses("struct A { int a[50000000]; constexpr A() : a() { for (int &x : a) x = 1; } };\nconstexpr A a;", "a.a[7]"),
        ),
        (
            "overloads that multiply",
            uses(
                "struct A { template<class T> operator T(); };\nvoid f(int,int,int,int,int,int,int,int); void f(long,long,long,long,long,long,long,long);\nvoid g() { f(A(),A(),A(),A(),A(),A(),A(),A()); }",
                "0",
            ),
        ),
        ("lambdas in lambdas", format!("auto x = {}1{};\n{main}", "[]{ return ".repeat(2_000), "; }".repeat(2_000))),
        (
            "a pack of everything",
            uses(
                "#include <utility>\ntemplate<int... I> constexpr int f(std::integer_sequence<int, I...>) { return (I + ... + 0); }",
                "f(std::make_integer_sequence<int, 5000000>())",
            ),
        ),
        ("inheritance in depth", doubling(8_000, "struct S0 {};\n", |n| format!("struct S{n}:S{0}{{}};", n - 1)) + main),
        (
            "inheritance in breadth",
            doubling(24, "struct S0 { int x; };\n", |n| {
                format!("struct L{n}:S{0}{{}};struct R{n}:S{0}{{}};struct S{n}:L{n},R{n}{{}};\n", n - 1)
            }) + "int main() { return sizeof(S24); }\n",
        ),
        (
            "virtual inheritance",
            doubling(600, "struct S0 { virtual void f(); };\n", |n| {
                format!("struct S{n}:virtual S{0}{{virtual void f{n}(){{}}}};\n", n - 1)
            }) + "int main() { S600 s; return sizeof s; }\n",
        ),
        ("a concept of itself", uses("template<class T> concept C = requires(T t) { requires C<T*>; };", "C<int>")),
        (
            "names without end",
            uses(
                "template<class... T> struct N {};\ntemplate<int I, class... T> struct M : M<I-1, N<T...>, N<T...>> {};\ntemplate<class... T> struct M<0, T...> { int f(); };\ntemplate<class... T> int M<0, T...>::f() { return 1; }",
                "M<18>().f()",
            ),
        ),
        (
            "every regular expression",
            uses(
                "#include <regex>\n#include <map>\n#include <string>\n#include <functional>\nstd::map<std::string, std::function<std::regex(std::map<std::string, std::regex>)>> m;",
                "m.size()",
            ),
        ),
        ("an initialiser of everything", format!("#include <vector>\nstd::vector<int> v = {{{}}};\n{main}", "1,".repeat(100_000))),
        (
            "a tuple of a thousand",
            format!("#include <tuple>\nauto t = std::tuple({}0);\nauto u = std::tuple_cat(t, t);\n{main}", "1,".repeat(1_000)),
        ),
        (
            "a switch in a template",
            uses(
                "template<int N> int f(int x) { if (x == N) return N; return f<N-1>(x) + f<N-2>(x); }\ntemplate<> int f<0>(int) { return 0; }\ntemplate<> int f<1>(int) { return 1; }",
                "f<1000>(7)",
            ),
        ),
        ("exceptions in each other", format!("int main() {{ {} {} }}\n", "try {".repeat(3_000), "} catch (...) {}".repeat(3_000))),
        ("a coroutine in each function", "#include <coroutine>\n".to_owned() + main),
        ("digits that go on", format!("int x = {};\n{main}", "9".repeat(200_000))),
        ("operators without end", format!("int f(int x) {{ return {} x; }}\n{main}", "-~".repeat(60_000))),
        ("attributes without end", format!("{} int x;\n{main}", "[[maybe_unused]]".repeat(15_000))),
    ]
}

fn rust_bombs() -> Vec<Bomb> {
    let main = "fn main() {}\n";
    let in_main = |head: &str, body: &str| format!("{head}\nfn main() {{ {body} }}\n");
    let parts = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
    vec![
        (
            "an endless constant",
            in_main(
                "#![allow(long_running_const_eval)]\nconst fn f() -> u32 { let mut n = 0u32; loop { n = n.wrapping_add(1); if n == 7 && n == 8 { return n; } } }\nconst X: u32 = f();",
                "println!(\"{X}\")",
            ),
        ),
        (
            "a deep constant",
            in_main(
                "const fn f(n: u64) -> u64 { if n == 0 { 1 } else { f(n - 1) + f(n - 1) } }\nconst X: u64 = f(60);",
                "println!(\"{X}\")",
            ),
        ),
        ("a recursion of constants", in_main("const fn f(n: u64) -> u64 { f(n + 1) + 1 }\nconst X: u64 = f(0);", "println!(\"{X}\")")),
        (
            "a macro that doubles",
            in_main("#![recursion_limit = \"100000\"]\nmacro_rules! a { ($($t:tt)*) => { a!{$($t)* $($t)*} } }\na!(x);", ""),
        ),
        (
            "a macro without end",
            in_main("#![recursion_limit = \"1000000\"]\nmacro_rules! a { ($($t:tt)*) => { a!{$($t)* x} } }\na!();", ""),
        ),
        (
            "macros that double by name",
            doubling(30, "macro_rules! m0 { () => { let _ = 1; } }\n", |n| {
                format!("macro_rules! m{n} {{ () => {{ m{0}!{{}} m{0}!{{}} }} }}\n", n - 1)
            }) + "fn main() { m30!{} }\n",
        ),
        ("an array of 1.9 GB", in_main("static X: [u8; 1_900_000_000] = [1; 1_900_000_000];", "println!(\"{}\", X[1])")),
        ("an array of everything", in_main("const X: [u64; 1 << 40] = [1; 1 << 40];", "println!(\"{}\", X[1])")),
        (
            "a type without end",
            in_main(
                "trait T { fn f(self); }\nstruct W<A>(A);\nimpl<A> T for W<A> where W<W<A>>: T { fn f(self) { W(W(self.0)).f() } }",
                "W(1).f()",
            ),
        ),
        ("functions without end", in_main("fn f<T: Copy>(t: T, n: u32) { if n > 0 { f((t, t), n - 1) } }", "f(1u8, 100)")),
        (
            "a type that doubles",
            doubling(26, "type T0 = u8;\n", |n| format!("type T{n} = (T{0}, T{0});\n", n - 1))
                + "fn main() { println!(\"{}\", std::mem::size_of::<T26>()); }\n",
        ),
        (
            "closures that double",
            in_main(
                "fn f<F: Fn() -> u32 + Copy>(g: F, n: u32) -> u32 { if n == 0 { g() } else { f(move || g() + g(), n - 1) } }",
                "println!(\"{}\", f(|| 1, 30))",
            ),
        ),
        (
            "traits that wait for each other",
            in_main(
                "trait A { type X; }\nimpl<T> A for T where T: B { type X = <T as B>::Y; }\ntrait B { type Y; }\nimpl<T> B for T where T: A { type Y = <T as A>::X; }\nfn f<T: A>() {}",
                "f::<u8>()",
            ),
        ),
        ("deep parentheses", in_main("", &format!("let _ = {}1{};", "(".repeat(100_000), ")".repeat(100_000)))),
        ("deep blocks", in_main("", &format!("{}{}", "{".repeat(100_000), "}".repeat(100_000)))),
        ("deep references", format!("fn f(_: {}u8) {{}}\n{main}", "&".repeat(100_000))),
        ("a long sum", in_main("", &format!("let x = 1u64; println!(\"{{}}\", {} x);", "x.wrapping_add(1) ^ ".repeat(9_000)))),
        ("many functions", parts(3_000, &|n| format!("#[no_mangle] pub extern \"C\" fn f{n}(x: u32) -> u32 {{ x ^ {n} }}")) + main),
        (
            "many variants",
            format!(
                "#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]\nenum E {{ {} }}\nfn main() {{ println!(\"{{:?}}\", E::V1); }}\n",
                parts(8_000, &|n| format!("V{n},"))
            ),
        ),
        ("many errors", parts(20_000, &|n| format!("q{n}!();")) + main),
        ("many warnings", in_main("", &parts(8_000, &|n| format!("let v{n} = 1;")))),
        ("a long name", format!("static {}: u8 = 1;\n{main}", "X".repeat(250_000))),
        (
            "a match of everything",
            in_main(
                "",
                &format!(
                    "let x: (u8, u8, u8, u8, u8, u8) = (1, 2, 3, 4, 5, 6); match x {{ {} _ => () }}",
                    parts(3_000, &|n| format!("({}, {}, _, _, {}, _) => (),", n % 251, n % 241, n % 239))
                ),
            ),
        ),
        (
            "patterns that multiply",
            in_main(
                "",
                &format!(
                    "let x = [true; 24]; match x {{ {} }}",
                    parts(24, &|n| format!("[{}] => (),", (0..24).map(|m| if m == n { "true," } else { "_," }).collect::<String>()))
                ),
            ),
        ),
        ("a format of everything", in_main("", &format!("println!(\"{}\")", "{0}".repeat(40_000)))),
    ]
}

fn assemblyscript_bombs() -> Vec<Bomb> {
    let parts = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
    let say = "console.log(\"x\");\n";
    vec![
        ("types without end", "class A<T> { next(): void { new A<A<T>>().next(); } }\nnew A<i32>().next();\n".to_owned()),
        ("types that double", "class P<A, B> { f(): void { new P<P<A, B>, P<A, B>>().f(); } }\nnew P<i32, i32>().f();\n".to_owned()),
        ("functions without end", "function f<T>(): void { f<Array<T>>(); }\nf<i32>();\n".to_owned()),
        ("itself imported", format!("import \"./main\";\n{say}")),
        ("an array of everything", "const x = memory.data(1900000000);\nconsole.log(x.toString());\n".to_owned()),
        ("a large array", format!("const x: i32[] = [{}];\nconsole.log(x[1].toString());\n", "1,".repeat(100_000))),
        ("deep parentheses", format!("const x = {}1{};\n{say}", "(".repeat(100_000), ")".repeat(100_000))),
        ("deep blocks", format!("{}{}\n{say}", "{".repeat(100_000), "}".repeat(100_000))),
        ("deep arrays", format!("const x = {}1{};\n{say}", "[".repeat(3_000), "]".repeat(3_000))),
        ("deep functions", format!("{}{}\n{say}", "function f(): void {".repeat(5_000), "}".repeat(5_000))),
        ("a long sum", format!("let x = 1;\nconsole.log(({} x).toString());\n", "x + ".repeat(50_000))),
        ("a long string", format!("console.log(\"{}\");\n", "x".repeat(250_000))),
        ("a long name", format!("const {} = 1;\n{say}", "x".repeat(250_000))),
        ("many functions", parts(4_000, &|n| format!("export function f{n}(x: i32): i32 {{ return x + {n}; }}\n"))),
        (
            "many classes",
            parts(2_400, &|n| format!("class C{n} {{ x: i32 = {n}; }} export function g{n}(): i32 {{ return new C{n}().x; }}\n")),
        ),
        (
            "inheritance in depth",
            doubling(3_000, "class C0 {}\n", |n| format!("class C{n} extends C{0} {{}}\n", n - 1))
                + "const c = new C3000();\nconsole.log(\"x\");\n",
        ),
        (
            "many cases",
            format!(
                "export function f(x: i32): i32 {{ switch (x) {{ {} }} return 0; }}\n",
                parts(9_000, &|n| format!("case {n}: return {n};"))
            ),
        ),
        ("many errors", parts(15_000, &|n| format!("q{n};\n"))),
        ("many decorators", format!("{} function f(): void {{}}\n{say}", "@inline ".repeat(20_000))),
        (
            "inlining without end",
            "@inline function f(x: i32): i32 { return f(x) + f(x); }\nexport function g(): i32 { return f(1); }\n".to_owned(),
        ),
        (
            "inlining that doubles",
            doubling(22, "@inline function f0(x: i32): i32 { return x; }\n", |n| {
                format!("@inline function f{n}(x: i32): i32 {{ return f{0}(x) + f{0}(x); }}\n", n - 1)
            }) + "export function g(): i32 { return f22(1); }\n",
        ),
        ("a template in a template", format!("const x = {}1{};\n{say}", "`${".repeat(3_000), "}`".repeat(3_000))),
        ("an expression of commas", format!("let x = 0; {};\n{say}", vec!["x = 1"; 30_000].join(","))),
        ("a comment without end", "/*".to_owned() + &"x".repeat(200_000)),
        ("a namespace in a namespace", format!("{}{}\n{say}", "namespace N {".repeat(5_000), "}".repeat(5_000))),
    ]
}

fn set_off(jail: JailKind, language: Language, bombs: &[Bomb]) {
    assert_eq!(bombs.len(), 25, "{language}");
    let all = std::env::var(BOMBS).is_ok_and(|value| value == "all");
    let (mut ended, mut limited) = (0, 0);
    for (number, (what, text)) in bombs.iter().enumerate() {
        if !all && number % EVERY != 0 {
            continue;
        }
        let began = Instant::now();
        let word = format!("bomb of {}", std::process::id());
        let text = format!("{text}// {word}\n");
        let result = try_build(jail, language, &[(language.main_file(), &text)], &LIMITS);
        let took = began.elapsed();
        println!(
            "{language}: {what}: {:.1} s, {}",
            took.as_secs_f64(),
            result.as_ref().map_or_else(|error| error.limit().unwrap_or("an error"), |_| "ended by itself")
        );
        // A guard against one that never ends; the limits themselves are tested by name elsewhere.
        assert!(took < Duration::from_millis(LIMITS.build_wall_ms) + GRACE, "{language}: {what} took {took:?}");
        assert!(!is_left(&word, language.main_file()), "{language}: {what} has left its job's folder");
        match result {
            Ok(_) => ended += 1,
            Err(error @ (BuildError::JailUnavailable { .. } | BuildError::Unavailable { .. } | BuildError::Io { .. })) => {
                panic!("{language}: {what}: {error}")
            }
            Err(_) => limited += 1,
        }
    }
    println!("{jail}, {language}: {ended} ended by themselves, {limited} at a limit");
}

/// Whether a job's folder holds a source with this word. Jobs of other tests come and go meanwhile.
fn is_left(word: &str, main_file: &str) -> bool {
    let jobs = fs::read_dir(folder().join("root/job")).unwrap().flatten();
    jobs.map(|job| job.path().join("src").join(main_file)).any(|source| fs::read_to_string(source).is_ok_and(|text| text.contains(word)))
}

#[test]
fn c_bombs_end_within_their_limits() {
    set_off(JailKind::Bwrap, Language::C, &c_bombs());
}

#[test]
fn cpp_bombs_end_within_their_limits() {
    set_off(JailKind::Bwrap, Language::Cpp, &cpp_bombs());
}

#[test]
fn rust_bombs_end_within_their_limits_in_the_other_jail_and_leave_nothing() {
    set_off(JAILS[1], Language::Rust, &rust_bombs());
}

#[test]
fn assemblyscript_bombs_end_within_their_limits() {
    set_off(JailKind::Bwrap, Language::AssemblyScript, &assemblyscript_bombs());
}
