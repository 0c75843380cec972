//! The file system in memory, path by path.

use bytes::Bytes;

use super::*;
use crate::clocks::Clocks;

fn folder_with(bytes_max: u64, nodes_max: u32) -> MemoryFolder {
    let project =
        ProjectFiles::new([("data/words.txt".to_string(), Bytes::from_static(b"words")), ("main.c".into(), Bytes::new())]).unwrap();
    MemoryFolder::root(&project, Rc::new(Scratch::new(bytes_max, nodes_max, Clocks::start())))
}

fn folder() -> MemoryFolder {
    folder_with(1000, 100)
}

fn create(folder: &dyn Folder, path: &str) -> Result<Box<dyn File>, Errno> {
    match folder.open(path, OpenHow { write: true, create: true, ..OpenHow::default() })? {
        Opened::File(file) => Ok(file),
        Opened::Folder(_) => Err(Errno::Isdir),
    }
}

fn names(folder: &dyn Folder) -> Vec<String> {
    folder.entries().unwrap().into_iter().map(|entry| entry.name).collect()
}

fn errno<T: std::fmt::Debug>(result: Result<T, Errno>) -> Errno {
    result.unwrap_err()
}

#[test]
fn the_project_is_there_and_cannot_be_changed() {
    let root = folder();
    assert_eq!(names(&root), ["data", "main.c", "tmp"]);
    let Opened::File(words) = root.open("data/words.txt", OpenHow { read: true, ..OpenHow::default() }).unwrap() else { panic!() };
    let mut buffer = [0; 3];
    assert_eq!((words.read_at(&mut buffer, 3), buffer), (Ok(2), *b"ds\0"));
    assert_eq!((words.read_at(&mut buffer, 9), words.read_at(&mut buffer, u64::MAX)), (Ok(0), Ok(0)));
    assert_eq!(errno(words.write_at(b"x", 0)), Errno::Rofs);
    assert_eq!(errno(create(&root, "main.c")), Errno::Rofs);
    assert_eq!(errno(create(&root, "data/new")), Errno::Rofs);
    assert_eq!(root.remove_file("main.c"), Err(Errno::Rofs));
    assert_eq!(root.rename("main.c", &root, "tmp/main.c"), Err(Errno::Rofs));
    assert_eq!(root.remove_folder("tmp"), Err(Errno::Rofs));
    assert_eq!(root.link("main.c", false, &root, "tmp/main.c"), Err(Errno::Xdev));
}

#[test]
fn no_path_leads_out() {
    let root = folder();
    let Opened::Folder(tmp) = root.open("tmp", OpenHow::default()).unwrap() else { panic!() };
    assert_eq!(errno(tmp.open("..", OpenHow::default())), Errno::Notcapable);
    assert_eq!(errno(tmp.open("/main.c", OpenHow::default())), Errno::Notcapable);
    tmp.symlink("../main.c", "out").unwrap();
    let follow = OpenHow { follow: true, ..OpenHow::default() };
    assert_eq!(errno(tmp.open("out", follow)), Errno::Notcapable);
    // From the root the same link stays inside.
    assert!(root.open("tmp/out", follow).is_ok());
    assert_eq!(tmp.symlink("/main.c", "absolute"), Err(Errno::Perm));
}

#[test]
fn links_that_go_round_end() {
    let root = folder();
    root.symlink("b", "tmp/a").unwrap();
    root.symlink("a", "tmp/b").unwrap();
    assert_eq!(errno(root.open("tmp/a", OpenHow { follow: true, ..OpenHow::default() })), Errno::Loop);
    assert_eq!(errno(root.open("tmp/a", OpenHow::default())), Errno::Loop);
    assert_eq!(root.read_link("tmp/a").as_deref(), Ok("b"));
}

#[test]
fn bytes_and_nodes_are_bounded_and_come_back() {
    let root = folder_with(100, 3);
    let file = create(&root, "tmp/a").unwrap();
    assert_eq!(file.write_at(&[1; 60], 40), Ok(60));
    assert_eq!(file.write_at(&[1], 100), Err(Errno::Nospc));
    assert_eq!(file.set_size(u64::MAX), Err(Errno::Nospc));
    assert_eq!(file.write_at(&[1], u64::MAX), Err(Errno::Fbig));
    root.remove_file("tmp/a").unwrap();
    let other = create(&root, "tmp/b").unwrap();
    assert_eq!(other.append(&[1]), Err(Errno::Nospc), "an open file without a name keeps its bytes");
    drop(file);
    assert_eq!(other.append(&[1; 100]), Ok(100));
    create(&root, "tmp/c").unwrap();
    create(&root, "tmp/d").unwrap();
    assert_eq!(errno(create(&root, "tmp/e")), Errno::Nospc);
    other.set_size(10).unwrap();
    assert_eq!(other.metadata().unwrap().size_bytes, 10);
    assert_eq!(other.append(&[1; 90]), Ok(90));
}

#[test]
fn further_names_count_and_what_shrinks_is_given_back() {
    let root = folder_with(1 << 20, 3);
    let file = create(&root, "tmp/a").unwrap();
    root.link("tmp/a", false, &root, "tmp/b").unwrap();
    root.link("tmp/a", false, &root, "tmp/c").unwrap();
    assert_eq!(root.link("tmp/a", false, &root, "tmp/d"), Err(Errno::Nospc));
    root.remove_file("tmp/a").unwrap();
    root.rename("tmp/b", &root, "tmp/c").unwrap();
    assert_eq!(
        root.link("tmp/c", false, &root, "tmp/d"),
        Ok(()),
        "two names of one file, and a rename of one to the other changes nothing"
    );
    for path in ["tmp/b", "tmp/c", "tmp/d"] {
        root.remove_file(path).unwrap();
    }
    for (path, left) in [("tmp/x", true), ("tmp/y", true), ("tmp/z", false)] {
        assert_eq!(create(&root, path).is_ok(), left, "{path}: the open one counts");
    }
    drop(file);
    let file = create(&root, "tmp/y").unwrap();
    file.set_size(1 << 20).unwrap();
    assert_eq!(file.append(&[1]), Err(Errno::Nospc));
    assert_eq!(root.scratch.content_capacity(), 1 << 20, "no room is taken that may not be used");
    file.set_size(10).unwrap();
    assert!(root.scratch.content_capacity() < 1 << 12, "{} bytes", root.scratch.content_capacity());
}

#[test]
fn renaming_is_as_posix_has_it() {
    let root = folder();
    for path in ["tmp/a", "tmp/a/deep", "tmp/empty", "tmp/full"] {
        root.create_folder(path).unwrap();
    }
    create(&root, "tmp/full/file").unwrap();
    create(&root, "tmp/file").unwrap();
    let table = [
        ("tmp/a", "tmp/a/deep/a", Err(Errno::Inval)),
        ("tmp/a", "tmp/full", Err(Errno::Notempty)),
        ("tmp/a", "tmp/file", Err(Errno::Notdir)),
        ("tmp/file", "tmp/empty", Err(Errno::Isdir)),
        ("tmp/file/", "tmp/other", Err(Errno::Notdir)),
        ("tmp/none", "tmp/other", Err(Errno::Noent)),
        ("tmp/file", "tmp/file", Ok(())),
        ("tmp/file", "tmp/full/file", Ok(())),
        ("tmp/a/", "tmp/empty/", Ok(())),
    ];
    for (from, to, expected) in table {
        assert_eq!(root.rename(from, &root, to), expected, "{from} → {to}");
    }
    let Opened::Folder(tmp) = root.open("tmp", OpenHow::default()).unwrap() else { panic!() };
    assert_eq!(names(&*tmp), ["empty", "full"]);
    assert!(root.metadata("tmp/empty/deep", false).is_ok());
    assert_eq!(root.remove_folder("tmp/full"), Err(Errno::Notempty));
    assert_eq!(root.remove_file("tmp/full"), Err(Errno::Isdir));
    assert_eq!(root.remove_folder("tmp/full/file"), Err(Errno::Notdir));
    assert_eq!(root.rename("tmp/full", &folder(), "tmp/full"), Err(Errno::Xdev));
}

#[test]
fn hard_links_are_one_file() {
    let root = folder();
    create(&root, "tmp/a").unwrap().append(b"one").unwrap();
    root.link("tmp/a", false, &root, "tmp/b").unwrap();
    let (a, b) = (root.metadata("tmp/a", false).unwrap(), root.metadata("tmp/b", false).unwrap());
    assert_eq!((a, a.links, a.size_bytes), (b, 2, 3));
    root.remove_file("tmp/a").unwrap();
    assert_eq!(root.metadata("tmp/b", false).unwrap().links, 1);
    assert_eq!(root.link("tmp/b", false, &root, "tmp/b"), Err(Errno::Exist));
    assert_eq!(root.link("tmp", false, &root, "tmp/c"), Err(Errno::Perm));
}

#[test]
fn a_folder_that_was_removed_takes_nothing_more() {
    let root = folder();
    root.create_folder("tmp/gone").unwrap();
    let Opened::Folder(gone) = root.open("tmp/gone", OpenHow::default()).unwrap() else { panic!() };
    root.remove_folder("tmp/gone").unwrap();
    assert_eq!(errno(create(&*gone, "file")), Errno::Noent);
    create(&root, "tmp/file").unwrap();
    assert_eq!(root.rename("tmp/file", &*gone, "file"), Err(Errno::Noent));
    assert_eq!(errno(root.open("main.c/../data", OpenHow::default())), Errno::Notdir);
    assert!(names(&*gone).is_empty());
}

#[test]
fn what_files_hold_is_counted_while_they_are_there() {
    let root = folder();
    assert_eq!(root.scratch.used_bytes(), 0);
    let file = create(&root, "tmp/a").unwrap();
    file.append(b"seventeen letters").unwrap();
    create(&root, "tmp/b").unwrap().set_size(100).unwrap();
    assert_eq!(root.scratch.used_bytes(), 117);
    root.remove_file("tmp/b").unwrap();
    root.remove_file("tmp/a").unwrap();
    assert_eq!(root.scratch.used_bytes(), 17, "one that is open is still there");
    drop(file);
    assert_eq!(root.scratch.used_bytes(), 0);
}
