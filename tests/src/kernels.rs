//! Nine computations that keep many registers live: each is a module whose `f(n)` does `n` rounds and returns a sum of all that it computed.

/// Name, rounds that take some milliseconds, and text.
pub fn kernels() -> Vec<(&'static str, u32, String)> {
    vec![
        ("matrix product", 3, matrix()),
        ("sieve", 20, sieve()),
        ("hash", 20_000, hash()),
        ("sort", 6, sort()),
        ("mandelbrot", 4, mandelbrot()),
        ("search", 5, search()),
        ("checksum", 6, checksum()),
        ("bodies", 6_000, bodies()),
        ("vectors", 60, vectors()),
    ]
}

fn kernel(body: &str) -> String {
    format!(
        "(module (memory 16) (func (export \"f\") (param $n i32) (result i64)
            (local $i i32) (local $j i32) (local $k i32) (local $l i32) (local $m i32) (local $o i32) (local $p i32) (local $q i32)
            (local $x i64) (local $y i64) (local $a f64) (local $b f64) (local $c f64) (local $d f64) (local $e f64)
            (local $v v128) (local $w v128)
            (local.set $y (i64.const 88172645463325252)) {body} (local.get $x)))"
    )
}

/// Counts a local from 0 up to an expression.
fn count(local: &str, to: &str, body: &str) -> String {
    format!("(local.set ${local} (i32.const 0)) {}", repeat(local, to, "(i32.const 1)", body))
}

/// Counts a local on, by steps, while it is below an expression.
fn repeat(local: &str, to: &str, step: &str, body: &str) -> String {
    format!(
        "(block (loop (br_if 1 (i32.ge_u (local.get ${local}) {to})) {body} (local.set ${local} (i32.add (local.get ${local}) {step})) (br 0)))"
    )
}

/// So many bytes of memory join the sum.
fn sum(bytes: u32) -> String {
    let step = "(local.set $x (i64.add (i64.mul (local.get $x) (i64.const 31)) (i64.load (local.get $i))))";
    format!("(local.set $i (i32.const 0)) {}", repeat("i", &format!("(i32.const {bytes})"), "(i32.const 8)", step))
}

/// The next random number, in `$y`.
const NEXT: &str = "(local.set $y (i64.xor (local.get $y) (i64.shl (local.get $y) (i64.const 13))))
    (local.set $y (i64.xor (local.get $y) (i64.shr_u (local.get $y) (i64.const 7))))
    (local.set $y (i64.xor (local.get $y) (i64.shl (local.get $y) (i64.const 17))))";

fn rounds(body: &str) -> String {
    count("l", "(local.get $n)", body)
}

fn matrix() -> String {
    let fill = count(
        "i",
        "(i32.const 8192)",
        "(f64.store (i32.shl (local.get $i) (i32.const 3)) (f64.convert_i32_u (i32.rem_u (i32.mul (local.get $i) (i32.const 7)) (i32.const 13))))",
    );
    let product = "(local.set $a (f64.add (local.get $a) (f64.mul
        (f64.load (i32.add (i32.shl (local.get $i) (i32.const 9)) (i32.shl (local.get $k) (i32.const 3))))
        (f64.load offset=32768 (i32.add (i32.shl (local.get $k) (i32.const 9)) (i32.shl (local.get $j) (i32.const 3)))))))";
    let cell = format!(
        "(local.set $a (f64.const 0)) {} (f64.store offset=65536 (i32.add (i32.shl (local.get $i) (i32.const 9)) (i32.shl (local.get $j) (i32.const 3))) (local.get $a))",
        count("k", "(i32.const 64)", product)
    );
    kernel(&format!("{fill} {} {}", rounds(&count("i", "(i32.const 64)", &count("j", "(i32.const 64)", &cell))), sum(98_304)))
}

fn sieve() -> String {
    let strike = format!(
        "(if (i32.load8_u (local.get $i)) (then (local.set $j (i32.mul (local.get $i) (local.get $i))) {}))",
        repeat("j", "(i32.const 100000)", "(local.get $i)", "(i32.store8 (local.get $j) (i32.const 0))")
    );
    let round = format!(
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 100000)) (local.set $i (i32.const 2)) {}",
        repeat("i", "(i32.const 317)", "(i32.const 1)", &strike)
    );
    kernel(&format!("{} {}", rounds(&round), sum(100_000)))
}

fn hash() -> String {
    let word = format!("{NEXT} (i64.store (i32.shl (local.get $i) (i32.const 3)) (local.get $y))");
    let mix = "(local.set $m (i32.add (i32.add (local.get $m) (i32.load (i32.shl (local.get $i) (i32.const 2))))
            (i32.xor (i32.xor (i32.rotr (local.get $o) (i32.const 6)) (i32.rotr (local.get $o) (i32.const 11))) (i32.rotr (local.get $o) (i32.const 25)))))
        (local.set $p (i32.add (local.get $p) (i32.xor (i32.and (local.get $m) (local.get $o)) (i32.and (i32.xor (local.get $m) (i32.const -1)) (local.get $q)))))
        (local.set $q (local.get $o)) (local.set $o (local.get $k)) (local.set $k (local.get $p)) (local.set $p (local.get $m))";
    let round = format!(
        "{} (local.set $x (i64.add (i64.rotl (local.get $x) (i64.const 1)) (i64.extend_i32_u (local.get $k))))",
        count("i", "(i32.const 64)", mix)
    );
    kernel(&format!("{} {}", count("i", "(i32.const 32)", &word), rounds(&round)))
}

fn sort() -> String {
    let fill =
        count("i", "(i32.const 1024)", &format!("{NEXT} (i32.store (i32.shl (local.get $i) (i32.const 2)) (i32.wrap_i64 (local.get $y)))"));
    // Insertion: the element in `$m` goes down to its place.
    let insert = "(local.set $m (i32.load (i32.shl (local.get $i) (i32.const 2)))) (local.set $j (local.get $i))
        (block (loop
            (br_if 1 (i32.eqz (local.get $j)))
            (br_if 1 (i32.le_s (i32.load (i32.shl (i32.sub (local.get $j) (i32.const 1)) (i32.const 2))) (local.get $m)))
            (i32.store (i32.shl (local.get $j) (i32.const 2)) (i32.load (i32.shl (i32.sub (local.get $j) (i32.const 1)) (i32.const 2))))
            (local.set $j (i32.sub (local.get $j) (i32.const 1)))
            (br 0)))
        (i32.store (i32.shl (local.get $j) (i32.const 2)) (local.get $m))";
    kernel(&rounds(&format!("{fill} {} {}", count("i", "(i32.const 1024)", insert), sum(4096))))
}

fn mandelbrot() -> String {
    let point = "(local.set $a (f64.const 0)) (local.set $b (f64.const 0)) (local.set $k (i32.const 0))
        (local.set $c (f64.sub (f64.mul (f64.convert_i32_u (local.get $i)) (f64.const 0.046875)) (f64.const 2)))
        (local.set $d (f64.sub (f64.mul (f64.convert_i32_u (local.get $j)) (f64.const 0.046875)) (f64.const 1.5)))
        (block (loop
            (br_if 1 (i32.ge_u (local.get $k) (i32.const 200)))
            (br_if 1 (f64.gt (f64.add (f64.mul (local.get $a) (local.get $a)) (f64.mul (local.get $b) (local.get $b))) (f64.const 4)))
            (local.set $e (f64.add (f64.sub (f64.mul (local.get $a) (local.get $a)) (f64.mul (local.get $b) (local.get $b))) (local.get $c)))
            (local.set $b (f64.add (f64.mul (f64.mul (local.get $a) (f64.const 2)) (local.get $b)) (local.get $d)))
            (local.set $a (local.get $e))
            (local.set $k (i32.add (local.get $k) (i32.const 1)))
            (br 0)))
        (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 31)) (i64.xor (i64.reinterpret_f64 (local.get $a)) (i64.extend_i32_u (local.get $k)))))";
    kernel(&rounds(&count("i", "(i32.const 64)", &count("j", "(i32.const 64)", point))))
}

fn search() -> String {
    let fill = count(
        "i",
        "(i32.const 65536)",
        &format!("{NEXT} (i32.store8 (local.get $i) (i32.wrap_i64 (i64.and (local.get $y) (i64.const 1))))"),
    );
    let compare = "(local.set $k (i32.const 0))
        (block (loop
            (br_if 1 (i32.ne (i32.load8_u (i32.add (local.get $i) (local.get $k))) (i32.load8_u (i32.add (i32.const 60000) (local.get $k)))))
            (br_if 0 (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 12)))
            (local.set $x (i64.add (local.get $x) (i64.extend_i32_u (local.get $i))))))
        (local.set $x (i64.add (local.get $x) (i64.extend_i32_u (local.get $k))))";
    kernel(&format!("{fill} {}", rounds(&count("i", "(i32.const 65000)", compare))))
}

fn checksum() -> String {
    let fill = count("i", "(i32.const 8192)", &format!("{NEXT} (i64.store (i32.shl (local.get $i) (i32.const 3)) (local.get $y))"));
    let bit = "(local.set $m (i32.xor (i32.shr_u (local.get $m) (i32.const 1)) (i32.and (i32.const 0xedb88320) (i32.sub (i32.const 0) (i32.and (local.get $m) (i32.const 1))))))";
    let byte = format!("(local.set $m (i32.xor (local.get $m) (i32.load8_u (local.get $i)))) {}", bit.repeat(8));
    let round = format!(
        "{} (local.set $x (i64.add (i64.shl (local.get $x) (i64.const 1)) (i64.extend_i32_u (local.get $m))))",
        count("i", "(i32.const 65536)", &byte)
    );
    kernel(&format!("{fill} {}", rounds(&round)))
}

/// Places and velocities of six bodies on a line, 16 bytes each, that pull each other.
fn bodies() -> String {
    let fill = count(
        "i",
        "(i32.const 6)",
        "(f64.store (i32.shl (local.get $i) (i32.const 4)) (f64.convert_i32_u (i32.mul (local.get $i) (local.get $i))))",
    );
    let pull =
        "(local.set $a (f64.sub (f64.load (i32.shl (local.get $j) (i32.const 4))) (f64.load (i32.shl (local.get $i) (i32.const 4)))))
        (local.set $b (f64.add (f64.mul (local.get $a) (local.get $a)) (f64.const 0.01)))
        (local.set $c (f64.add (local.get $c) (f64.div (local.get $a) (f64.mul (local.get $b) (f64.sqrt (local.get $b))))))";
    let body = format!(
        "(local.set $c (f64.const 0)) {} (f64.store offset=8 (i32.shl (local.get $i) (i32.const 4))
            (f64.add (f64.load offset=8 (i32.shl (local.get $i) (i32.const 4))) (f64.mul (local.get $c) (f64.const 0.001))))",
        count("j", "(i32.const 6)", pull)
    );
    let step = "(f64.store (i32.shl (local.get $i) (i32.const 4)) (f64.add (f64.load (i32.shl (local.get $i) (i32.const 4)))
        (f64.mul (f64.load offset=8 (i32.shl (local.get $i) (i32.const 4))) (f64.const 0.001))))";
    let round = format!("{} {}", count("i", "(i32.const 6)", &body), count("i", "(i32.const 6)", step));
    kernel(&format!("{fill} {} {}", rounds(&round), sum(96)))
}

fn vectors() -> String {
    let fill = count("i", "(i32.const 8192)", &format!("{NEXT} (i64.store (i32.shl (local.get $i) (i32.const 3)) (local.get $y))"));
    let step = "(local.set $v (i32x4.add (i32x4.mul (local.get $v) (v128.load (i32.shl (local.get $i) (i32.const 4)))) (local.get $w)))
        (local.set $w (i8x16.shuffle 3 7 11 15 2 6 10 14 1 5 9 13 0 4 8 12 (local.get $w) (local.get $v)))
        (local.set $w (v128.xor (i16x8.add_sat_s (local.get $w) (local.get $v)) (f32x4.max (local.get $v) (local.get $w))))";
    let lanes = "(local.set $x (i64.add (i64.mul (local.get $x) (i64.const 31)) (i64.xor (i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $w)))))";
    let begin = "(local.set $w (v128.xor (local.get $w) (i64x2.splat (i64.add (local.get $y) (i64.extend_i32_u (local.get $l))))))";
    kernel(&format!("{fill} {}", rounds(&format!("{begin} {} {lanes}", count("i", "(i32.const 4096)", step)))))
}

/// Short ones whose `f` takes a number, for tests that look at each instruction: with all registers live, flags across instructions, and inside bulk operations.
pub fn small() -> Vec<(&'static str, String)> {
    let live = 14;
    let locals = |ty: &str| (0..live).map(|index| format!("(local $v{index} {ty})")).collect::<String>();
    let chain = |add: &str| -> String {
        let step =
            |index: usize| format!("(local.set $v{index} ({add} (local.get $v{index}) (local.get $v{})))", (index + live - 1) % live);
        (0..live).map(step).collect()
    };
    let begin =
        |of: &dyn Fn(usize) -> String| -> String { (0..live).map(|index| format!("(local.set $v{index} {})", of(index))).collect() };
    let sum = |of: &dyn Fn(usize) -> String| {
        (1..live).fold(of(0), |sum, index| format!("(i64.add (i64.mul {sum} (i64.const 31)) {})", of(index)))
    };
    let function = |locals: &str, body: &str, result: &str| {
        format!(
            "(module (memory 1) (data (i32.const 0) \"some bytes to move about, and a few more\") (func (export \"f\") (param $n i32) (result i64) (local $i i32) {locals} {body} {result}))"
        )
    };
    let thrice = |body: &str| count("i", "(i32.const 3)", body);
    vec![
        (
            "general registers",
            function(
                &locals("i64"),
                &format!("{} {}", begin(&|index| format!("(i64.const {})", 0x9e37_79b9_i64 * (index as i64 + 1))), thrice(&chain("i64.add"))),
                &sum(&|index| format!("(local.get $v{index})")),
            ),
        ),
        (
            "floats",
            function(
                &locals("f64"),
                &format!("{} {}", begin(&|index| format!("(f64.const {}.25)", index + 1)), thrice(&chain("f64.add"))),
                &sum(&|index| format!("(i64.reinterpret_f64 (local.get $v{index}))")),
            ),
        ),
        (
            "all lanes",
            function(
                &locals("v128"),
                &format!("{} {}", begin(&|index| format!("(v128.const i64x2 {} {})", 77 * index, 0x0102_0304_0506_u64 * index as u64)), thrice(&chain("i8x16.add"))),
                &sum(&|index| format!("(i64.xor (i64x2.extract_lane 0 (local.get $v{index})) (i64x2.extract_lane 1 (local.get $v{index})))")),
            ),
        ),
        (
            "flags",
            function(
                "(local $x i64) (local $y i64) (local $c i64)",
                &format!(
                    "(local.set $x (i64.const -3)) (local.set $y (i64.const 0x7fffffffffffffff)) {}",
                    count(
                        "i",
                        "(i32.const 6)",
                        "(local.set $x (i64.add (local.get $x) (local.get $y)))
                         (local.set $c (i64.add (i64.add (local.get $c) (local.get $c)) (i64.extend_i32_u (i64.lt_u (local.get $x) (local.get $y)))))
                         (local.set $c (select (i64.add (local.get $c) (i64.const 5)) (local.get $c) (i64.lt_s (local.get $x) (local.get $c))))
                         (local.set $y (i64.rotl (local.get $y) (i64.const 7)))"
                    )
                ),
                "(i64.xor (local.get $c) (i64.add (local.get $x) (local.get $y)))",
            ),
        ),
        (
            "bulk operations",
            function(
                "",
                "(memory.copy (i32.const 3) (i32.const 0) (i32.const 21)) (memory.fill (i32.const 50) (i32.const 9) (i32.const 9))
                 (memory.copy (i32.const 40) (i32.const 45) (i32.const 13)) (memory.copy (i32.const 200) (i32.const 0) (i32.const 24))",
                "(i64.load (i32.const 44))",
            ),
        ),
        (
            "calls",
            "(module (memory 1) (type $t (func (param i32 i64) (result i64))) (table funcref (elem $g $f))
                (func $g (type $t) (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
                (func $f (type $t) (if (result i64) (local.get 0)
                    (then (i64.mul (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 3)) (i32.and (local.get 0) (i32.const 1))) (i64.const 5)))
                    (else (local.get 1))))
                (func (export \"f\") (param i32) (result i64) (i64.add (call $f (i32.const 12) (i64.const 1)) (call $f (i32.const 7) (i64.const 2)))))"
                .to_owned(),
        ),
    ]
}
