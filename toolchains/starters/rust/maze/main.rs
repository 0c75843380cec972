//! Carves a maze, a new instance for every visitor, and draws the way through it.
//! ?seed=7&size=24 chooses which maze it is.
use std::collections::VecDeque;
use std::env;

/// The number behind `name=` in the query string.
fn option(name: &str, otherwise: u64) -> u64 {
    let query = env::var("QUERY_STRING").unwrap_or_default();
    let found = query.split('&').filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(otherwise)
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Cells by number; each knows which neighbours it is open to.
struct Maze {
    size: usize,
    open: Vec<Vec<usize>>,
}

impl Maze {
    /// Walks at random to cells that are new, back where there are none: every cell is reached, by one way only.
    fn carve(size: usize, random: &mut Random) -> Maze {
        let mut maze = Maze { size, open: vec![Vec::new(); size * size] };
        let mut way = vec![0];
        while let Some(&here) = way.last() {
            let fresh: Vec<usize> = maze.neighbours(here).filter(|&cell| cell != 0 && maze.open[cell].is_empty()).collect();
            if fresh.is_empty() {
                way.pop();
            } else {
                let next = fresh[random.below(fresh.len())];
                maze.open[here].push(next);
                maze.open[next].push(here);
                way.push(next);
            }
        }
        maze
    }

    fn neighbours(&self, cell: usize) -> impl Iterator<Item = usize> + use<> {
        let (size, x, y) = (self.size, cell % self.size, cell / self.size);
        let left = (x > 0).then(|| cell - 1);
        let right = (x + 1 < size).then(|| cell + 1);
        let up = (y > 0).then(|| cell - size);
        let down = (y + 1 < size).then(|| cell + size);
        [left, right, up, down].into_iter().flatten()
    }

    /// The cells from the first to the last one.
    fn solve(&self) -> Vec<usize> {
        let mut from = vec![usize::MAX; self.open.len()];
        let mut queue = VecDeque::from([0]);
        while let Some(here) = queue.pop_front() {
            for &next in &self.open[here] {
                if next != 0 && from[next] == usize::MAX {
                    from[next] = here;
                    queue.push_back(next);
                }
            }
        }
        let mut way = vec![self.open.len() - 1];
        while let Some(&last) = way.last().filter(|&&cell| cell != 0) {
            way.push(from[last]);
        }
        way
    }

    fn centre(&self, cell: usize) -> String {
        format!("{} {}", cell % self.size * 2 + 1, cell / self.size * 2 + 1)
    }

    fn to_svg(&self, way: &[usize]) -> String {
        let edge = self.size * 2 + 2;
        let corridors: String = (0..self.open.len())
            .flat_map(|cell| self.open[cell].iter().filter(move |&&next| next > cell).map(move |&next| (cell, next)))
            .map(|(cell, next)| format!("M{}L{}", self.centre(cell), self.centre(next)))
            .collect();
        let steps: Vec<String> = way.iter().map(|&cell| self.centre(cell)).collect();
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-1 -1 {edge} {edge}' style='color-scheme:light dark'>\
             <rect x='-1' y='-1' width='{edge}' height='{edge}' fill='#123c30'/>\
             <g fill='none' stroke-linecap='round' stroke-linejoin='round'>\
             <path stroke='#f4f7f2' stroke-width='1.4' d='{corridors}'/>\
             <path stroke='#178a5e' stroke-width='.5' d='M{}'/></g></svg>",
            steps.join("L")
        )
    }
}

fn main() {
    let (seed, size) = (option("seed", 7), option("size", 24).clamp(2, 80) as usize);
    let maze = Maze::carve(size, &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
    let way = maze.solve();

    print!("Content-Type: image/svg+xml\r\n\r\n");
    println!("{}", maze.to_svg(&way));
    eprintln!("{size} by {size} cells, {} steps to the end, seed {seed}", way.len() - 1);
}
