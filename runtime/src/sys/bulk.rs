//! One page of a slot made as it was: most of what a reset costs is spent here.
//!
//! Most lines of a page that a request wrote to it did not write. So slot and image are compared, line by line, and only what differs is stored: looking costs what
//! copying does where both lie in the nearest cache, and less where they do not, for no line goes back to where it came from. Eight pages fill that cache of many
//! processors; of a page that is mostly zero only the lines that hold data are read. Where one line after the other differs, the rest is copied without looking.

use std::arch::x86_64::{
    __m256i, _mm256_loadu_si256, _mm256_or_si256, _mm256_setzero_si256, _mm256_storeu_si256, _mm256_testz_si256, _mm256_xor_si256,
};

use vivarium_artifact::PAGE_BYTES;

use crate::write_set::LINE_BYTES;

pub const PAGE: usize = PAGE_BYTES as usize;
/// How much is looked at together, in lines: the fewer branches the better, but all of it is stored where a byte differs.
const LOOKED_AT: usize = 4;
/// So many looks at a difference, one after the other, mean that what follows differs too.
const DIFFERENT_MAX: usize = 2;

/// Copies `data` to a page from `start` on and makes all other bytes of it zero.
///
/// # Panics
///
/// When the data does not fit in the page there.
pub fn give_back(to: &mut [u8; PAGE], start: usize, data: &[u8]) {
    let end = start + data.len();
    assert!(end <= PAGE, "data of a page lies in the page");
    if start.is_multiple_of(LINE_BYTES) && end.is_multiple_of(LINE_BYTES) && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature, as was just asked.
        unsafe { by_lines(to, start, data) };
    } else {
        to[start..end].copy_from_slice(data);
        to[..start].fill(0);
        to[end..].fill(0);
    }
}

type Line = [u8; LINE_BYTES];
/// What one instruction loads or stores, as often as a line is long.
type Values = [__m256i; LINE_BYTES / size_of::<__m256i>()];

/// The same for data that begins and ends at a line.
#[target_feature(enable = "avx2")]
fn by_lines(to: &mut [u8; PAGE], start: usize, data: &[u8]) {
    let lines = to.as_chunks_mut::<LINE_BYTES>().0;
    let (before, rest) = lines.split_at_mut(start / LINE_BYTES);
    let (held, behind) = rest.split_at_mut(data.len() / LINE_BYTES);
    clear(before);
    copy(held, data.as_chunks().0);
    clear(behind);
}

#[target_feature(enable = "avx2")]
fn copy(lines: &mut [Line], data: &[Line]) {
    let (pieces, last) = lines.as_chunks_mut::<LOOKED_AT>();
    let (data, last_data) = data.as_chunks::<LOOKED_AT>();
    let mut streak = 0;
    for (piece, data) in pieces.iter_mut().zip(data) {
        streak = settle(piece, data.each_ref().map(|line| load(line)), streak);
    }
    for (line, data) in last.iter_mut().zip(last_data) {
        settle(std::array::from_mut(line), [load(data)], streak);
    }
}

#[target_feature(enable = "avx2")]
fn clear(lines: &mut [Line]) {
    let (pieces, last) = lines.as_chunks_mut::<LOOKED_AT>();
    let zero = [_mm256_setzero_si256(); 2];
    let mut streak = 0;
    for piece in pieces {
        streak = settle(piece, [zero; LOOKED_AT], streak);
    }
    for line in last {
        settle(std::array::from_mut(line), [zero], streak);
    }
}

/// Makes lines what they are to be. Takes and gives how many pieces up to this one differed.
#[target_feature(enable = "avx2")]
#[inline]
fn settle<const N: usize>(lines: &mut [Line; N], wanted: [Values; N], streak: usize) -> usize {
    if streak < DIFFERENT_MAX {
        let mut any = _mm256_setzero_si256();
        for (line, wanted) in lines.iter().zip(&wanted) {
            let [a, b] = load(line);
            any = _mm256_or_si256(any, _mm256_or_si256(_mm256_xor_si256(a, wanted[0]), _mm256_xor_si256(b, wanted[1])));
        }
        if _mm256_testz_si256(any, any) == 1 {
            return 0;
        }
    }
    lines.iter_mut().zip(wanted).for_each(|(line, wanted)| store(line, wanted));
    streak + 1
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(line: &Line) -> Values {
    let from = line.as_ptr().cast::<__m256i>();
    // SAFETY: a line is so many steps long; the loads need no alignment.
    [0, 1].map(|step| unsafe { _mm256_loadu_si256(from.add(step)) })
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(line: &mut Line, values: Values) {
    let to = line.as_mut_ptr().cast::<__m256i>();
    for (step, value) in values.into_iter().enumerate() {
        // SAFETY: as for `load`.
        unsafe { _mm256_storeu_si256(to.add(step), value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_the_data_and_zeros_around_it() {
        let data: Vec<u8> = (0..PAGE).map(|index| index as u8 | 1).collect();
        for start in [0, 32, 64, 100, 4032, 4064, 4095, 4096] {
            for length in [0, 1, 32, 64, 100, 4000, 4032, 4096].into_iter().filter(|length| start + length <= PAGE) {
                let mut expected = [0; PAGE];
                expected[start..start + length].copy_from_slice(&data[..length]);
                for (at, bytes) in [(0, PAGE), (0, 0), (0, 1), (31, 1), (64, 600), (1000, 7), (4095, 1)] {
                    let mut pages = [[0xee; PAGE]; 3];
                    pages[1] = expected;
                    pages[1][at..at + bytes].fill(0xee);
                    give_back(&mut pages[1], start, &data[..length]);
                    assert!(pages[1] == expected, "{length} bytes from {start}, {bytes} written at {at}");
                    assert!(pages[0] == [0xee; PAGE] && pages[2] == [0xee; PAGE], "{length} bytes from {start}: beyond the page");
                }
            }
        }
    }

    #[test]
    fn every_byte_counts() {
        let data = [7; PAGE];
        for at in 0..PAGE {
            let (mut page, mut zero) = (data, [0; PAGE]);
            page[at] ^= 0x80;
            zero[at] ^= 0x80;
            give_back(&mut page, 0, &data);
            give_back(&mut zero, 0, &[]);
            assert!(page == data && zero == [0; PAGE], "a byte at {at} was left");
        }
    }
}
