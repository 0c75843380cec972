//! What compilers print, made fit to be shown: no colours, no control characters, the user's file names instead of the jail's.

use crate::jail::JailPaths;

/// Text without escape sequences, control characters (newlines and tabs stay) and characters that turn the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A colour: ESC [ parameters letter.
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                while characters.next().is_some_and(|parameter| !('@'..='~').contains(&parameter)) {}
            }
            '\n' | '\t' => plain.push(character),
            hidden if hidden.is_control() || is_direction_mark(hidden) => {}
            shown => plain.push(shown),
        }
    }
    plain
}

fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most so many bytes of a text, and a line that says so.
pub(crate) fn shortened(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push_str("\n[the rest is left out]\n");
    }
    text
}

/// Replaces the paths of the jail by what the user knows: source files by their names, the root's by paths that begin with `/`.
pub(crate) fn with_user_paths(text: &str, paths: &JailPaths) -> String {
    let text = text.replace(&format!("{}/", paths.source), "").replace(&format!("{}/", paths.output), "");
    if paths.root.is_empty() { text } else { text.replace(&paths.root, "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_controls_and_direction_marks_go() {
        assert_eq!(plain("\u{1b}[1;31merror\u{1b}[0m:\ta\r\nb\u{7}\u{202e}c\u{1b}"), "error:\ta\nbc");
        assert_eq!(plain("\u{1b}[31"), "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("a\u{e9}b".to_owned(), 2), "a\n[the rest is left out]\n");
        assert_eq!(shortened("ab".to_owned(), 2), "ab");
    }

    #[test]
    fn paths_are_the_users() {
        let paths = JailPaths { root: "/r/root".into(), source: "/r/root/job/x/src".into(), output: "/r/root/job/x/out".into() };
        let text = "/r/root/job/x/src/lib/a.c:1: /r/root/usr/include/stdio.h /r/root/job/x/out/a.o";
        assert_eq!(with_user_paths(text, &paths), "lib/a.c:1: /usr/include/stdio.h a.o");
    }
}
