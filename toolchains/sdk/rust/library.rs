//! Pulls in what Rust programs use of their library, so that its code can be compiled ahead. It is never run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

#[derive(Debug, Clone, PartialEq)]
enum Leaf {
    Green(u32),
    Red { shade: f64, name: String },
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaf::Green(age) => write!(f, "green {age}"),
            Leaf::Red { shade, name } => write!(f, "red {shade:.2} {name:>8}"),
        }
    }
}

fn numbers(text: &str) -> Result<Vec<i64>, Box<dyn Error>> {
    let mut numbers = Vec::new();
    for word in text.split_whitespace() {
        numbers.push(word.trim().parse::<i64>()?);
    }
    numbers.sort();
    numbers.dedup();
    numbers.sort_by(|one, other| other.cmp(one));
    Ok(numbers)
}

fn collections(words: &[String]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in words {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    let mut sorted: Vec<(String, usize)> = counts.iter().map(|(word, count)| (word.clone(), *count)).collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    println!("{sorted:?} {counts:?}");
    let tree: BTreeMap<String, i32> = words.iter().cloned().zip(0..).collect();
    let set: HashSet<&str> = words.iter().map(String::as_str).collect();
    let ordered: BTreeSet<u64> = (0..9).rev().collect();
    let mut heap: BinaryHeap<i32> = vec![3, 1, 2].into();
    let mut queue: VecDeque<u8> = VecDeque::new();
    queue.push_back(1);
    queue.push_front(2);
    println!("{tree:?} {:?} {ordered:?} {:?} {:?} {}", set.len(), heap.pop(), queue.pop_front(), tree.contains_key("a"));
}

fn text(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for (index, character) in line.chars().enumerate() {
        match character {
            'a'..='z' => out.push((((character as u8 - b'a' + 1) % 26) + b'a') as char),
            other if other.is_alphanumeric() => out.extend(other.to_uppercase()),
            other => out.push(other),
        }
        if index > 100 {
            out.push_str("…");
        }
    }
    let reversed: String = out.chars().rev().collect();
    let joined = out.split(',').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let bytes: Vec<u8> = out.bytes().collect();
    format!("{reversed}|{joined}|{}|{:?}", out.replace("x", "y"), String::from_utf8_lossy(&bytes))
}

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().collect();
    let path = std::env::var("PATH_INFO").unwrap_or_else(|_| "/".to_string());
    let query = std::env::var("QUERY_STRING").ok();
    for (name, value) in std::env::vars() {
        eprintln!("{name}={value}");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let lines: Vec<String> = io::stdin().lock().lines().map_while(Result::ok).collect();
    let mut rest = Vec::new();
    io::stdin().read_to_end(&mut rest)?;
    io::stdin().read_to_string(&mut line)?;
    print!("Content-Type: text/plain\n\n");
    println!("{path} {query:?} {} {:>5} {:<5} {:^5} {:05} {:#x} {:#b} {:e}", 1, 2u8, 3i16, 4u64, 5i64, 6u32, 7usize, 8.5f64);
    println!("{} {} {:?} {:?} {:?} {}", 1.5f32, -2i128, 'x', "text", (1, 2.0), true);
    let leaves = vec![Leaf::Green(1), Leaf::Red { shade: 0.5, name: "oak".into() }];
    for leaf in &leaves {
        println!("{leaf} {leaf:?} {leaf:#?}");
    }
    collections(&lines);
    println!("{}", text(&line));
    let shared = Rc::new(RefCell::new(numbers(&line)?));
    shared.borrow_mut().push(7);
    let total: i64 = shared.borrow().iter().copied().filter(|number| number % 2 == 0).map(|number| number * number).sum();
    let cell = Cell::new(total);
    cell.set(cell.get().wrapping_mul(3));
    let grid = vec![vec![0u8; 16]; 16];
    let boxed: Box<dyn Fn(i32) -> i32> = Box::new(move |number| number + cell.get() as i32);
    println!("{} {:?} {} {}", boxed(2), grid[1].iter().max(), (2.0f64).powf(0.5).sin(), u64::pow(3, 4));
    let mut out = io::stdout().lock();
    write!(out, "{:?}", shared.borrow())?;
    writeln!(out, "{}", arguments.get(1).map_or("none", |argument| argument))?;
    out.write_all(&rest)?;
    out.flush()?;
    let slept = started.elapsed() + Duration::from_millis(3);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let read = std::fs::read_to_string("main.rs").unwrap_or_default();
    println!("{slept:?} {now} {} {:?}", read.len(), "3.5".parse::<f64>());
    if arguments.len() > 40 {
        std::process::exit(3);
    }
    Ok(())
}
