//! One page of a slot made as it was, by stores of 32 bytes: most of what a reset costs is spent here, and the C library's choice for so few bytes takes a
//! quarter longer.
//!
//! Eight pages fill the nearest cache of many processors, so of a page that is mostly zero only the lines that hold data are read.

use std::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T0, _mm_prefetch, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_loadu_si256, _mm256_or_ps,
    _mm256_setzero_si256, _mm256_storeu_si256, _mm256_testz_si256,
};
use std::sync::atomic::{Ordering, compiler_fence};

use vivarium_artifact::PAGE_BYTES;

pub const PAGE: usize = PAGE_BYTES as usize;
/// Bytes of one store.
const STEP: usize = size_of::<__m256i>();
/// How much is looked at together, in steps.
const LOOKED_AT: usize = 4;
/// How far ahead the image is called into the nearest cache, in steps.
const AHEAD: usize = 1024 / STEP;

/// Copies `data` to a page from `start` on and makes all other bytes of it zero.
///
/// # Panics
///
/// When the data does not fit in the page there.
pub fn give_back(to: &mut [u8; PAGE], start: usize, data: &[u8]) {
    let end = start + data.len();
    assert!(end <= PAGE, "data of a page lies in the page");
    if start.is_multiple_of(STEP) && end.is_multiple_of(STEP) && std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: the processor has the feature, as was just asked.
        unsafe { by_wide_stores(to, start, data) };
    } else {
        to[start..end].copy_from_slice(data);
        to[..start].fill(0);
        to[end..].fill(0);
    }
}

#[target_feature(enable = "avx")]
fn or(a: __m256i, b: __m256i) -> __m256 {
    _mm256_or_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))
}

/// The same for a start and an end between two stores. The fences, which are no instructions, keep the compiler from making calls of the loops again.
#[target_feature(enable = "avx")]
fn by_wide_stores(to: &mut [u8; PAGE], start: usize, data: &[u8]) {
    let (to, from) = (to.as_mut_ptr().cast::<__m256i>(), data.as_ptr().cast::<__m256i>());
    let (start, end) = (start / STEP, (start + data.len()) / STEP);
    let zero = _mm256_setzero_si256();
    let mut clean = 0;
    // Looking is twice as fast as clearing, and most of a page of the stack was never used.
    while clean + LOOKED_AT <= start {
        // SAFETY: `start` lies in the page, as the caller has checked.
        let [a, b, c, d] = [0, 1, 2, 3].map(|step| unsafe { _mm256_loadu_si256(to.add(clean + step)) });
        let any = _mm256_castps_si256(_mm256_or_ps(or(a, b), or(c, d)));
        if _mm256_testz_si256(any, any) == 0 {
            break;
        }
        clean += LOOKED_AT;
    }
    for step in clean..start {
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(to.add(step), zero) };
        compiler_fence(Ordering::SeqCst);
    }
    for step in start..end {
        // SAFETY: so does `end`; and so many steps from `start` are as many from the beginning of the data. Calling for a line never faults.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(step - start + AHEAD).cast());
            _mm256_storeu_si256(to.add(step), _mm256_loadu_si256(from.add(step - start)));
        }
        compiler_fence(Ordering::SeqCst);
    }
    for step in end..PAGE / STEP {
        // SAFETY: the page ends there.
        unsafe { _mm256_storeu_si256(to.add(step), zero) };
        compiler_fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_the_data_and_zeros_around_it() {
        let data: Vec<u8> = (0..PAGE).map(|index| index as u8 | 1).collect();
        for start in [0, 32, 64, 100, 4032, 4064, 4095, 4096] {
            for length in [0, 1, 32, 64, 100, 4000, 4096].into_iter().filter(|length| start + length <= PAGE) {
                let mut pages = [[0xee; PAGE]; 3];
                give_back(&mut pages[1], start, &data[..length]);
                let expected: Vec<u8> =
                    (0..PAGE).map(|at| at.checked_sub(start).filter(|at| *at < length).map_or(0, |at| data[at])).collect();
                assert!(pages[1][..] == expected[..], "{length} bytes from {start}");
                assert!(pages[0] == [0xee; PAGE] && pages[2] == [0xee; PAGE], "{length} bytes from {start}: beyond the page");
            }
        }
    }
}
