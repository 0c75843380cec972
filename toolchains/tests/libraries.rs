//! Each library of C, C++ and AssemblyScript in a program that has it by its `#include` or `import` alone.

mod support;

use support::node;
use support::{toolchains, try_build, wasm_of};
use vivarium_toolchains::{BuildLimits, JailKind, Language};

const ZLIB: &str = r#"
#include <stdio.h>
#include <string.h>
#include <zlib.h>
int main(void) {
    const char *text = "leaf leaf leaf leaf leaf leaf";
    unsigned char small[100], again[100] = {0};
    uLongf small_bytes = sizeof small, bytes = sizeof again;
    compress(small, &small_bytes, (const unsigned char *)text, strlen(text));
    uncompress(again, &bytes, small, small_bytes);
    printf("%d %s %08lx\n", small_bytes < 20, (char *)again, crc32(0, again, bytes));
}
"#;

const JSMN: &str = r#"
#include <jsmn.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    const char *text = "{\"leaves\": [1, 2, 3]}";
    jsmn_parser parser;
    jsmntok_t tokens[16];
    jsmn_init(&parser);
    int count = jsmn_parse(&parser, text, strlen(text), tokens, 16);
    printf("%d %.*s\n", count, tokens[2].end - tokens[2].start, text + tokens[2].start);
}
"#;

/// Writes a picture of two pixels with one library and reads it with the other, which is part of this program itself where `own` is defined.
const PICTURE: &str = r#"
#include <stb_image.h>
#include <stb_image_write.h>
#include <stdio.h>
#include <string.h>
static unsigned char file[1000];
static int length;
static void keep(void *context, void *data, int size) { memcpy(file + length, data, size), length += size; }
int main(void) {
    const unsigned char pixels[] = {1, 2, 3, 250, 251, 252};
    stbi_write_png_to_func(keep, NULL, 2, 1, 3, pixels, 6);
    int width, height, channels;
    unsigned char *read = stbi_load_from_memory(file, length, &width, &height, &channels, 3);
    printf("%d by %d: %d %d\n", width, height, read[2], read[3]);
}
"#;

const JSON_CPP: &str = r#"
#include <iostream>
#include <nlohmann/json.hpp>
int main() {
    auto plant = nlohmann::json::parse(R"({"leaves": [1, 2, 3]})");
    plant["name"] = "fern";
    std::cout << plant.dump() << " " << plant["leaves"].size() << "\n";
}
"#;

const JSON_AS: &str = r#"
import { JSON } from "assemblyscript-json";
const plant = <JSON.Obj>JSON.parse('{"name":"fern","leaves":[1,2.5,true,null]}');
console.log(plant.getString("name")!.valueOf() + " " + plant.getArr("leaves")!.stringify());
"#;

/// What a program writes to have a library, the program, and what it prints.
const PROGRAMS: &[(Language, &str, &str, &str)] = &[
    (Language::C, "zlib.h", ZLIB, "1 leaf leaf leaf leaf leaf leaf "),
    (Language::C, "jsmn.h", JSMN, "6 [1, 2, 3]\n"),
    (Language::C, "stb_image.h", PICTURE, "2 by 1: 3 250\n"),
    (Language::C, "stb_image_write.h", PICTURE, "2 by 1: 3 250\n"),
    (Language::Cpp, "nlohmann/json.hpp", JSON_CPP, "{\"leaves\":[1,2,3],\"name\":\"fern\"} 3\n"),
    (Language::Cpp, "zlib.h", ZLIB, "1 leaf leaf leaf leaf leaf leaf "),
    (Language::AssemblyScript, "assemblyscript-json", JSON_AS, "fern [1,2.5,true,null]\n"),
];

fn printed(language: Language, text: &str) -> String {
    // The JSON library of C++ alone has clang read 900 KB.
    let limits = BuildLimits { build_wall_ms: 60_000, ..BuildLimits::default() };
    let report = try_build(JailKind::Bwrap, language, &[(language.main_file(), text)], &limits).unwrap();
    println!("{language}: {} ms", report.build_us / 1000);
    let output = node::run(&wasm_of(report), "", &[], "");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_program_with_each_library_builds_and_runs() {
    for &(language, name, text, expected) in PROGRAMS {
        let printed = printed(language, text);
        assert!(printed.starts_with(expected), "{language}, {name}: {printed}");
    }
}

#[test]
fn each_library_that_is_listed_has_a_program_here() {
    for language in [Language::C, Language::Cpp, Language::AssemblyScript] {
        let libraries = toolchains(JailKind::Bwrap).libraries(language);
        assert!(!libraries.is_empty(), "{language}: run toolchains/setup/install {}", support::folder().display());
        for library in libraries {
            assert!(PROGRAMS.iter().any(|(_, name, ..)| *name == library.name), "{library:?}");
            assert!(library.version.starts_with(|first: char| first.is_ascii_digit()), "{library:?}");
        }
    }
}

/// A program that has the bodies of a library in a file of its own gets no second ones.
#[test]
fn a_program_may_compile_a_library_itself() {
    let own = PICTURE.replacen("#include", "#define STB_IMAGE_IMPLEMENTATION\n#include", 1);
    assert_eq!(printed(Language::C, &own), "2 by 1: 3 250\n");
}
