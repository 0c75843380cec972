//! C, mostly, by Emscripten or by clang alone: SQLite, a library of regular expressions, a reader of source maps.

use std::collections::HashMap;

use vivarium_tests::real::{Guest, Imports};

/// What Emscripten's library asks of its host, as far as it is asked here, and the constants that it was told. There is no clock.
#[derive(Default)]
struct Emscripten {
    constants: HashMap<String, f64>,
}

impl Imports for Emscripten {
    fn answer(&mut self, name: &str, arguments: &[u64], guest: &mut Guest) -> Option<u64> {
        match name {
            "emscripten_get_now" | "emscripten_date_now" => Some(0),
            "_embind_register_constant" => {
                self.constants.insert(guest.read_text(arguments[0]), f64::from_bits(arguments[2]));
                None
            }
            "emscripten_memcpy_big" => {
                let bytes = guest.read(arguments[1], arguments[2]).to_vec();
                guest.write(arguments[0], &bytes);
                None
            }
            name if name.starts_with("_embind_register_") => None,
            name => panic!("{name} was called"),
        }
    }
}

/// A guest of Emscripten's.
struct Program {
    guest: Guest,
    host: Emscripten,
    malloc: &'static str,
}

impl Program {
    fn start(guest: Guest, malloc: &'static str) -> Program {
        let mut program = Program { guest, host: Emscripten::default(), malloc };
        program.call("__wasm_call_ctors", &[]);
        program
    }

    fn call(&mut self, export: &str, arguments: &[u64]) -> Option<u64> {
        self.guest.call(&mut self.host, export, arguments).first().copied()
    }

    fn allocate(&mut self, bytes: u64) -> u64 {
        self.call(self.malloc, &[bytes]).expect("an address")
    }

    /// Puts a text and its zero into memory that the guest allocates.
    fn text(&mut self, text: &str) -> u64 {
        let address = self.allocate(text.len() as u64 + 1);
        self.guest.write(address, format!("{text}\0").as_bytes());
        address
    }
}

#[test]
fn sqlite_answers_queries() {
    const ROW: u64 = 100;
    const DONE: u64 = 101;
    const SCRIPT: &str = "CREATE TABLE animals (name TEXT, legs INTEGER, weight REAL); CREATE INDEX by_legs ON animals (legs);
        INSERT INTO animals VALUES ('ant', 6, 0.000003), ('cat', 4, 4.5), ('dog', 4, 20.25), ('emu', 2, 40), ('snake', 0, 1.5);";
    const QUERY: &str = "SELECT legs, group_concat(upper(name), '+'), printf('%.2f', sum(weight))
        FROM animals WHERE legs > 0 GROUP BY legs ORDER BY legs";
    super::each("sql.js/dist/sql-wasm-debug.wasm", |mut guest| {
        guest.call(&mut Emscripten::default(), "emscripten_stack_init", &[]);
        // It checks its stack against these bounds.
        guest.call(&mut Emscripten::default(), "__set_stack_limits", &[u32::MAX.into(), 0]);
        let mut sqlite = Program::start(guest, "malloc");
        let place = sqlite.allocate(8);
        let name = sqlite.text(":memory:");
        assert_eq!(sqlite.call("sqlite3_open", &[name, place]), Some(0));
        let database = sqlite.guest.read_u32(place);
        let script = sqlite.text(SCRIPT);
        assert_eq!(sqlite.call("sqlite3_exec", &[database, script, 0, 0, 0]), Some(0));
        let query = sqlite.text(QUERY);
        assert_eq!(sqlite.call("sqlite3_prepare_v2", &[database, query, u32::MAX.into(), place, 0]), Some(0));
        let statement = sqlite.guest.read_u32(place);
        for row in [["2", "EMU", "40.00"], ["4", "CAT+DOG", "24.75"], ["6", "ANT", "0.00"]] {
            assert_eq!(sqlite.call("sqlite3_step", &[statement]), Some(ROW));
            let columns = [0, 1, 2].map(|column| sqlite.call("sqlite3_column_text", &[statement, column]).unwrap());
            assert_eq!(columns.map(|address| sqlite.guest.read_text(address)), row);
        }
        assert_eq!(sqlite.call("sqlite3_step", &[statement]), Some(DONE));
    });
}

#[test]
fn oniguruma_finds_captures() {
    const PATTERNS: [&str; 2] = ["(?<year>\\d{4})-(?<month>\\d\\d)", "(?<=never )seen"];
    const SUBJECT: &str = "since 2019-07, never seen";
    super::each("vscode-oniguruma/release/onig.wasm", |guest| {
        let mut onig = Program::start(guest, "omalloc");
        let addresses = PATTERNS.map(|pattern| onig.text(pattern));
        let [pointers, lengths] = [8, 8].map(|bytes| onig.allocate(bytes));
        for (index, (address, pattern)) in (0..).zip(addresses.iter().zip(PATTERNS)) {
            onig.guest.write(pointers + 4 * index, &(*address as u32).to_le_bytes());
            onig.guest.write(lengths + 4 * index, &(pattern.len() as u32).to_le_bytes());
        }
        let [groups, ruby] = ["ONIG_OPTION_CAPTURE_GROUP", "ONIG_SYNTAX_DEFAULT"].map(|name| onig.host.constants[name] as u64);
        let scanner = onig.call("createOnigScanner", &[pointers, lengths, 2, groups, ruby]).expect("a scanner");
        assert_ne!(scanner, 0);
        let subject = onig.text(SUBJECT);
        let mut find = |from: u64| {
            let arguments = [scanner, 1, subject, SUBJECT.len() as u64, from, groups];
            let found = onig.call("findNextOnigScannerMatch", &arguments).expect("a place");
            assert_ne!(found, 0, "nothing was found from {from}");
            let place = |at: u64| onig.guest.read_u32(found + 8 + 4 * at) as usize;
            let captures = (0..onig.guest.read_u32(found + 4)).map(|index| &SUBJECT[place(2 * index)..place(2 * index + 1)]);
            (onig.guest.read_u32(found), captures.collect::<Vec<&str>>())
        };
        assert_eq!(find(0), (0, vec!["2019-07", "2019", "07"]));
        assert_eq!(find(13), (1, vec!["seen"]));
    });
}

/// Each mapping that the guest tells: the numbers of its places.
#[derive(Default)]
struct Mappings(Vec<[u64; 5]>);

impl Imports for Mappings {
    fn answer(&mut self, _: &str, arguments: &[u64], _: &mut Guest) -> Option<u64> {
        let &[line, column, _, _, _, source, original_line, original_column, ..] = arguments else { panic!("{arguments:?}") };
        self.0.push([line, column, source, original_line, original_column].map(|number| u64::from(number as u32)));
        None
    }
}

#[test]
fn source_maps_are_read() {
    super::each("source-map/lib/mappings.wasm", |mut guest| {
        let text = "AAAA,IAAI;EACF,SAASA";
        let mut mappings = Mappings::default();
        let place = guest.call_one(&mut mappings, "allocate_mappings", &[text.len() as u64]);
        guest.write(place, text.as_bytes());
        let parsed = guest.call_one(&mut mappings, "parse_mappings", &[place]);
        assert_ne!(parsed, 0, "error {}", guest.call_one(&mut mappings, "get_last_error", &[]));
        guest.call(&mut mappings, "by_generated_location", &[parsed]);
        assert_eq!(mappings.0, [[0, 0, 0, 0, 0], [0, 4, 0, 0, 4], [1, 2, 0, 1, 2], [1, 11, 0, 1, 11]]);
    });
}
