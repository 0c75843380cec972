//! Functions added to a generated module: operations on whole ranges of its memories and tables, and calls through tables, of which wasm-smith makes hardly
//! any, for it would need the right three values on the stack by chance; and what is done with typed references to functions, of which it makes none without
//! garbage collection.

/// Functions of a module that typed references are made to, at most.
const REFERENCED_MAX: usize = 3;

/// Adds them: one export each, whose arguments say which range.
pub fn added_to(wasm: &[u8], typed_references: bool) -> Vec<u8> {
    let text = wasmprinter::print_bytes(wasm).expect("what wasm-smith made can be printed");
    let end = text.rfind(')').expect("a module ends in a parenthesis");
    let definitions: Vec<Definition> = text.lines().filter_map(Definition::read).collect();
    let memory =
        definitions.iter().find_map(|definition| if let Definition::Memory { address, .. } = definition { Some(*address) } else { None });
    let mut functions: String = definitions.iter().map(|definition| definition.functions(memory)).collect();
    if typed_references {
        functions +=
            &text.lines().filter_map(Function::read).take(REFERENCED_MAX).map(|function| function.referenced()).collect::<String>();
    }
    wat::parse_str(format!("{}{functions})", &text[..end])).expect("the added functions are right")
}

/// A line of the module's text that defines what such functions work on.
enum Definition<'t> {
    Memory { index: &'t str, address: &'static str },
    Table { index: &'t str, address: &'static str, calls: bool },
    Data { index: &'t str },
}

impl<'t> Definition<'t> {
    fn read(line: &'t str) -> Option<Definition<'t>> {
        let (kind, rest) = line.trim_start().strip_prefix('(')?.split_once(" (;")?;
        let (index, rest) = rest.split_once(";)")?;
        let address = if rest.starts_with(" i64 ") { "i64" } else { "i32" };
        match kind {
            "memory" => Some(Definition::Memory { index, address }),
            "table" => Some(Definition::Table { index, address, calls: rest.contains("funcref") }),
            "data" => Some(Definition::Data { index }),
            _ => None,
        }
    }

    /// With the type of memory 0's addresses, if there is one.
    fn functions(&self, memory: Option<&str>) -> String {
        match self {
            Definition::Memory { index, address } => {
                let [to, from, count] = [(0, 0x3_ffff), (1, 0x3_ffff), (2, 0xffff)].map(|(local, mask)| masked(address, local, mask));
                let byte = if *address == "i64" { "(i32.wrap_i64 (local.get 1))" } else { "(local.get 1)" };
                format!(
                    r#"(func (export "copy memory {index}") (param {address} {address} {address}) (memory.copy {index} {index} {to} {from} {count}))
                    (func (export "fill memory {index}") (param {address} {address} {address}) (memory.fill {index} {to} {byte} {count}))
                    (func (export "grow memory {index}") (param {address}) (result {address}) (memory.grow {index} {}))"#,
                    masked(address, 0, 3)
                )
            }
            Definition::Table { index, address, calls } => {
                let [to, from, count] = [(0, 0x1ff), (1, 0x1ff), (2, 0x7f)].map(|(local, mask)| masked(address, local, mask));
                let copied = format!(
                    r#"(func (export "copy table {index}") (param {address} {address} {address}) (table.copy {index} {index} {to} {from} {count}))
                    (func (export "fill table {index}") (param {address} {address} {address}) (table.fill {index} {to} (table.get {index} {from}) {count}))
                    (func (export "grow table {index}") (param {address} {address} {address}) (result {address}) (table.grow {index} (table.get {index} {from}) {count}))"#
                );
                let called = format!(r#"(func (export "call table {index}") (param {address}) (call_indirect {index} {to}))"#);
                if *calls { copied + &called } else { copied }
            }
            Definition::Data { index } => {
                let dropped = format!(
                    r#"(func (export "drop data {index}") (param i32) (if (i32.and (local.get 0) (i32.const 1)) (then (data.drop {index}))))"#
                );
                let initialised = |address| {
                    let [to, from, count] =
                        [(address, 0, 0x3_ffff), ("i32", 1, 0xf), ("i32", 2, 0xf)].map(|(ty, local, mask)| masked(ty, local, mask));
                    format!(r#"(func (export "init data {index}") (param {address} i32 i32) (memory.init {index} {to} {from} {count}))"#)
                };
                memory.map(initialised).unwrap_or_default() + &dropped
            }
        }
    }
}

/// An argument, no larger than that makes sense.
fn masked(address: &str, local: u32, mask: u32) -> String {
    format!("({address}.and (local.get {local}) ({address}.const {mask}))")
}

/// The line of the module's text with which a function begins.
struct Function<'t> {
    index: &'t str,
    ty: &'t str,
    /// The types of its parameters and results, as the text has them.
    parameters: &'t str,
    results: &'t str,
}

impl<'t> Function<'t> {
    fn read(line: &'t str) -> Option<Function<'t>> {
        let (index, rest) = line.trim_start().strip_prefix("(func (;")?.split_once(";) (type ")?;
        let (ty, rest) = rest.split_once(')')?;
        let within = |name: &str| rest.split_once(name).and_then(|(_, rest)| rest.split_once(')')).map_or("", |(types, _)| types);
        // Types in parentheses are references to functions of a type, which wasm-smith does not make, and the text would be cut in them.
        (!rest.contains("(ref")).then_some(Function { index, ty, parameters: within("(param "), results: within("(result ") })
    }

    /// Called by reference, also as a tail call; and branches on whether a reference is null, which an argument says.
    fn referenced(&self) -> String {
        let Function { index, ty, parameters, results } = self;
        let arguments: String = (0..parameters.split_whitespace().count()).map(|local| format!("(local.get {local})")).collect();
        let signature = format!("(param {parameters}) (result {results})");
        let zeros: String = parameters.split_whitespace().map(zero).collect();
        let drops = "drop ".repeat(results.split_whitespace().count());
        let reference = format!("(select (result (ref null {ty})) (ref.func {index}) (ref.null {ty}) (local.get 0))");
        format!(
            r#"(elem declare func {index})
            (func (export "call reference {index}") {signature} {arguments} (call_ref {ty} (ref.func {index})))
            (func (export "return call reference {index}") {signature} {arguments} (return_call_ref {ty} (ref.func {index})))
            (func (export "call reference or null {index}") (param i32) {zeros} {reference} call_ref {ty} {drops})
            (func (export "branch on null {index}") (param i32) (result i32)
                (block $null {reference} br_on_null $null drop (return (i32.const 1))) (i32.const 2))
            (func (export "branch on reference {index}") (param i32) (result i32)
                (block $there (result (ref {ty})) {reference} br_on_non_null $there (return (i32.const 1))) drop (i32.const 2))
            (func (export "as non-null {index}") (param i32) (result i32) {reference} ref.as_non_null ref.is_null)"#
        )
    }
}

/// A zero of a type.
fn zero(ty: &str) -> String {
    match ty {
        "i32" | "i64" | "f32" | "f64" => format!("({ty}.const 0)"),
        "v128" => "(v128.const i64x2 0 0)".into(),
        reference => format!("(ref.null {})", reference.trim_end_matches("ref")),
    }
}
