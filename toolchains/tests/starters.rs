//! Every starter builds and does what its description says.

mod support;

use support::node;
use support::{build, folder, wasm_of};
use vivarium_toolchains::{Language, ProgramKind, starters};

/// Builds the starter, runs it and returns stdout and stderr.
fn answer(name: &str, query: &str, args: &[&str], stdin: &str) -> (Vec<u8>, String) {
    let starter = starters::all().iter().find(|starter| starter.name == name).unwrap();
    let report = build(starter.language, starter.files);
    assert!(report.diagnostics.is_empty(), "{name}: {:#?}", report.diagnostics);
    let output = node::run(&wasm_of(report), query, args, stdin);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name}: {stderr}");
    (output.stdout, stderr)
}

/// The body of a CGI answer of that media type.
fn body(answer: &[u8], media_type: &str) -> Vec<u8> {
    let head = format!("Content-Type: {media_type}\r\n\r\n");
    answer.strip_prefix(head.as_bytes()).unwrap_or_else(|| panic!("no {head:?} at the start")).to_vec()
}

fn svg(name: &str, query: &str) -> (String, String) {
    let (stdout, stderr) = answer(name, query, &[], "");
    let text = String::from_utf8(body(&stdout, "image/svg+xml")).unwrap();
    assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"), "{text}");
    (text, stderr)
}

/// Checks header and size of a BMP and returns the file.
fn bmp(name: &str, query: &str) -> Vec<u8> {
    let (stdout, _) = answer(name, query, &[], "");
    let image = body(&stdout, "image/bmp");
    assert_eq!(&image[..2], b"BM");
    assert_eq!(u32::from_le_bytes(image[2..6].try_into().unwrap()) as usize, image.len());
    image
}

#[test]
fn each_language_has_a_service_first_and_a_command() {
    assert!(folder().is_absolute());
    for &language in Language::ALL {
        let kinds: Vec<ProgramKind> =
            starters::all().iter().filter(|starter| starter.language == language).map(|starter| starter.kind).collect();
        assert_eq!(kinds[0], ProgramKind::Service, "{language}");
        assert_eq!(kinds.iter().filter(|kind| **kind == ProgramKind::Command).count(), 1, "{language}");
    }
}

#[test]
fn the_fern_is_the_one_that_the_query_names() {
    let (seven, log) = svg("fern", "seed=7&leaves=18");
    assert!(log.contains(" strokes, seed "), "{log}");
    assert_eq!(seven, svg("fern", "").0);
    assert_ne!(seven, svg("fern", "seed=8&leaves=18").0);
    assert!(svg("fern", "leaves=5").0.len() < seven.len());
    svg("fern", "leaves=-999999999999&seed=x");
}

#[test]
fn the_maze_has_a_way_through() {
    let (maze, log) = svg("maze", "seed=1&size=9");
    assert!(log.contains("9 by 9 cells"), "{log}");
    assert!(maze.contains("d='M17 17L"), "the way does not begin in the last cell: {maze}");
    assert_ne!(maze, svg("maze", "seed=2&size=9").0);
}

#[test]
fn the_calendar_has_the_days_of_its_month() {
    let page = |query: &str| String::from_utf8(body(&answer("calendar", query, &[], "").0, "text/html; charset=utf-8")).unwrap();
    let leap = page("year=2024&month=2");
    // The 1st was a Thursday.
    assert!(leap.contains("<h1>February 2024</h1>") && leap.contains("<tr><td colspan=3><td>1<td>2<td>3<td>4<tr><td>5"), "{leap}");
    assert!(leap.contains("<td>29</table>") && leap.contains("?year=2024&amp;month=3") && !leap.contains("<td>30"), "{leap}");
    assert!(page("year=2023&month=2").contains("<td>28</table>"));
    assert!(page("month=77&year=x").contains("<td class=today>"));
}

#[test]
fn images_are_whole_and_follow_the_query() {
    assert_ne!(bmp("mandelbrot", ""), bmp("mandelbrot", "x=-0.7436&y=0.1318&zoom=600"));
    assert_ne!(bmp("plasma", ""), bmp("plasma", "31"));
}

#[test]
fn commands_answer_their_input() {
    let check = |name, args: &[&str], stdin, expected: &str| {
        let (stdout, _) = answer(name, "", args, stdin);
        assert!(String::from_utf8(stdout.clone()).unwrap().contains(expected), "{name}: {}", String::from_utf8_lossy(&stdout));
    };
    check("word-count", &[], "the fern\nthe moss", "1 lines, 4 words, 17 characters\n     2  the\n");
    check("caesar", &[], "Wkh ihuq jurzv lq wkh vkdgh.", "The fern grows in the shade.");
    check("histogram", &["2"], "1 1 4", "3 numbers, mean 2.0\n");
    let puzzle = starters::all().iter().find(|starter| starter.name == "sudoku").unwrap().stdin;
    check("sudoku", &[], puzzle, "8 1 2 | 7 5 3 | 6 4 9\n");
    check("upper", &[], "fern é", "FERN é");
}
