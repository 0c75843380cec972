//! What the functions of key-value stores answer, by stores that are asked twice before they do.

use crate::answer::Answer;
use crate::compute::tests::Play;

impl Play {
    fn store(&mut self) -> u64 {
        let [name, len] = self.text(512, "nuts");
        self.handle("kv_store.open", &[name, len, 0])
    }

    /// The error of a look-up, or 1 and the value.
    fn look(&mut self, store: u64, key: &str) -> (u64, String) {
        let [key, len] = self.text(600, key);
        let pending = self.handle("kv_store.lookup", &[store, key, len, 0, 0, 0]);
        self.check("kv_store.lookup_wait_v2", &[pending, 0, 64, 64, 8, 16, 24], 0);
        if self.at(24) != 1 {
            return (self.at(24), String::new());
        }
        self.check("http_body.read", &[self.at(0), 128, 64, 8], 0);
        (1, self.read(128, self.at(8)))
    }

    fn body(&mut self, value: &str) -> u64 {
        let body = self.handle("http_body.new", &[0]);
        let [start, len] = self.text(300, value);
        self.check("http_body.write", &[body, start, len, 0, 8], 0);
        body
    }

    /// The error of an insertion with the options that lie at 704; 1 is none.
    fn insert(&mut self, store: u64, key: &str, value: &str, mask: u64) -> u64 {
        let body = self.body(value);
        let [key, len] = self.text(600, key);
        let pending = self.handle("kv_store.insert", &[store, key, len, body, mask, 704, 0]);
        self.check("kv_store.insert_wait", &[pending, 24], 0);
        self.at(24)
    }
}

#[test]
fn a_program_sees_its_own_changes() {
    let mut play = Play::begin();
    let store = play.store();
    assert_eq!(play.look(store, "a"), (1, "1".into()));
    assert_eq!((play.guest.u64_at(16), play.read(64, 5).as_str()), (7, "about"));
    assert_eq!(play.look(store, "z"), (3, String::new()));
    assert_eq!(play.insert(store, "z", "new", 0), 1);
    assert_eq!(play.look(store, "z"), (1, "new".into()));
    let [key, len] = play.text(600, "z");
    let pending = play.handle("kv_store.delete", &[store, key, len, 0, 0, 0]);
    play.check("kv_store.delete_wait", &[pending, 24], 0);
    play.check("kv_store.delete_wait", &[pending, 24], 3);
    assert_eq!((play.at(24), play.look(store, "z")), (1, (3, String::new())));
    assert_eq!((play.kv.begun.get(), play.kv.kept.now("nuts", "z")), (2, None));
}

#[test]
fn terms_of_an_insertion_that_do_not_hold_are_its_error() {
    let mut play = Play::begin();
    let store = play.store();
    play.guest.put(704, &[0; 32]);
    play.guest.put(704 + 24, &8u64.to_le_bytes());
    assert_eq!(play.insert(store, "a", "new", 1 << 5), 4);
    play.guest.put(704 + 24, &7u64.to_le_bytes());
    assert_eq!(play.insert(store, "a", "new", 1 << 5), 1);
    assert_eq!(play.look(store, "a"), (1, "new".into()));
    play.guest.put(704, &9u32.to_le_bytes());
    let body = play.body("x");
    let [key, len] = play.text(600, "a");
    play.check("kv_store.insert", &[store, key, len, body, 0, 704, 0], 2);
}

#[test]
fn an_insertion_that_is_waited_for_begins_once() {
    let mut play = Play::begin();
    let store = play.store();
    let body = play.body("new");
    let [key, len] = play.text(600, "z");
    play.check("object_store.insert", &[store, key, len, body], 0);
    assert_eq!((play.kv.begun.get(), play.kv.kept.now("nuts", "z").unwrap().value.as_ref()), (1, &b"new"[..]));
}

#[test]
fn a_full_store_answers_so_and_the_log_tells_it_once() {
    let mut play = Play::begin();
    let store = play.store();
    let long = "x".repeat(200);
    assert_eq!([play.insert(store, "z", &long, 0), play.insert(store, "z", &long, 0)], [5, 5]);
    let body = play.body(&long);
    let [key, len] = play.text(600, "z");
    play.check("object_store.insert", &[store, key, len, body], 13);
    let lines = play.log_lines();
    assert!(lines.len() == 1 && lines[0].contains("kv_bytes_max of 400 bytes"), "{lines:?}");
    assert_eq!(play.insert(store, "a", "2", 0), 1, "what is smaller still goes in");
}

#[test]
fn keys_are_listed_a_page_at_a_time() {
    let mut play = Play::begin();
    let store = play.store();
    let [prefix, prefix_len] = play.text(600, "b/");
    play.guest.put(704, &[0; 24]);
    for (at, value) in [(12, 1), (16, prefix as u32), (20, prefix_len as u32)] {
        play.guest.put(704 + at, &value.to_le_bytes());
    }
    let listing = play.handle("kv_store.list", &[store, 1 << 2 | 1 << 3, 704, 0]);
    play.check("kv_store.list_wait", &[listing, 0, 24], 0);
    play.check("http_body.read", &[play.at(0), 128, 100, 8], 0);
    assert_eq!(play.read(128, play.at(8)), r#"{"data":["b/1"],"meta":{"limit":1,"prefix":"b/","next_cursor":"b/1"}}"#);
}

#[test]
fn endpoints_with_line_breaks_are_refused() {
    let mut play = Play::begin();
    for name in ["a\nb", "a\r", "\u{1b}[31m"] {
        let [start, len] = play.text(512, name);
        assert_eq!(play.call("log.endpoint_get", &[start, len, 0]), Answer::value(2), "{name:?}");
    }
}
