//! Giving a slot back every byte that a guest or host can have changed.
//!
//! | the slot is | what changed is known by | it is given back by |
//! |---|---|---|
//! | watched | its write set: all other pages are protected | storing what differs of these pages from the image's view; zero pages are filled |
//! | not watched, or outgrew its set | asking the kernel, where that is possible | copying and filling; beyond a bound, dropping |
//! | the same, elsewhere | nothing | dropping all |
//!
//! A fresh slot is not watched in its first run: its first reset learns what was written without a fault, and protects the rest.

use std::io;

use vivarium_artifact::PAGE_BYTES;

use super::SlotMemory;
use crate::module::LoadedModule;
use crate::reset::{FILLED_BYTES_MAX, KEPT_BYTES_MAX, Learned, ResetMethod, WRITE_SET_PAGES_MAX};
use crate::sys::bulk::{self, PAGE};
use crate::sys::kernel;
use crate::write_set::{Watch, Written};

impl SlotMemory {
    /// Makes the slot pristine again; after an error it must not be used any more. With `verify` every byte that was open is compared first.
    pub fn reset(&mut self, module: &LoadedModule, learned: &mut Learned, verify: bool) -> io::Result<()> {
        if self.wide.is_some() {
            self.reservation().empty(self.offset(), self.image_bytes.max(self.memory_end()))?;
        } else if self.set().watch() == Watch::Watched {
            self.give_back_set(module, learned)?;
        } else {
            self.give_back_all(module, learned)?;
        }
        // Memory that grew is closed next and out of reach then, populated as it is.
        if verify && !self.is_zero_behind_image() {
            return Err(io::Error::other("memory behind the image was not given back"));
        }
        self.close_what_grew()?;
        if verify && !self.is_pristine(module.image_view()) {
            return Err(io::Error::other("a byte of the slot is not as the image says"));
        }
        Ok(())
    }

    fn give_back_set(&mut self, module: &LoadedModule, learned: &mut Learned) -> io::Result<()> {
        // Forth and back by turns: where one reset ends, the next finds slot and image in the processor's nearest cache.
        self.backwards = !self.backwards;
        let image = module.image_view();
        let settled = self.set().pages().take(self.settled as usize);
        match self.backwards {
            true => settled.rev().for_each(|written| self.give_back_lines(image, written)),
            false => settled.for_each(|written| self.give_back_lines(image, written)),
        }
        let missed = self.settle(module, learned)?;
        self.warm_bytes = u64::from(self.settled) * PAGE_BYTES;
        if self.memory_end() > self.image_bytes {
            self.warm_bytes += self.give_back_behind(module, learned)?;
        }
        learned.note_reset(missed, false);
        if learned.method() == ResetMethod::WriteSet { Ok(()) } else { self.unwatch() }
    }

    /// Gives back the pages that were written for the first time; they stay writable if the module's set takes them. Whether it refused one.
    fn settle(&mut self, module: &LoadedModule, learned: &mut Learned) -> io::Result<bool> {
        let mut missed = false;
        let mut first_writes = Vec::new();
        while self.set().len() > self.settled as usize
            && let Some(written) = self.set().pop()
        {
            first_writes.push(module.written(written.page()));
        }
        for written in first_writes {
            self.give_back_lines(module.image_view(), written);
            if learned.admit(written) {
                self.set().push(written);
                self.settled += 1;
            } else {
                missed = true;
                kernel::protect(self.address(u64::from(written.page())), PAGE_BYTES, true)?;
            }
        }
        Ok(missed)
    }

    fn give_back_all(&mut self, module: &LoadedModule, learned: &mut Learned) -> io::Result<()> {
        let outgrown = self.set().watch() == Watch::Outgrown;
        let end = self.memory_end().max(self.image_bytes);
        let mut written = Vec::new();
        self.warm_bytes = match learned.ladder().page_scan {
            true => self.give_back_written(module, 0, end, &mut |page| {
                if written.len() <= WRITE_SET_PAGES_MAX {
                    written.push(page as u32);
                }
            })?,
            false => {
                self.reservation().empty(self.offset(), end)?;
                0
            }
        };
        if learned.method() != ResetMethod::WriteSet {
            return self.unwatch();
        }
        let image_pages = (self.image_bytes / PAGE_BYTES) as u32;
        written.retain(|page| *page < image_pages);
        let outgrown = outgrown || written.len() > WRITE_SET_PAGES_MAX;
        if !outgrown {
            for page in written {
                learned.admit(module.written(page));
            }
        }
        learned.note_reset(false, outgrown);
        if learned.method() == ResetMethod::WriteSet { self.watch(learned) } else { self.unwatch() }
    }

    /// Protects the image but for the pages of the module's write set.
    fn watch(&mut self, learned: &mut Learned) -> io::Result<()> {
        let (base, image_bytes) = (self.address(0), self.image_bytes);
        if !self.registered && kernel::register(base, image_bytes).is_err() {
            // The kernel has no room for it; nothing is protected yet.
            learned.give_up_the_set();
            return Ok(());
        }
        self.registered = true;
        kernel::protect(base, image_bytes, true)?;
        for written in learned.pages() {
            kernel::protect(self.address(u64::from(written.page())), PAGE_BYTES, false)?;
        }
        self.home.set_to_watch(self.index).begin((image_bytes / PAGE_BYTES) as u32, learned.pages());
        self.settled = learned.pages().len() as u32;
        Ok(())
    }

    /// From now on other instances may write here: their writes are not told apart, so none is watched. The slot is emptied afterwards, never reset.
    pub fn share(&mut self) -> io::Result<()> {
        self.unwatch()
    }

    fn unwatch(&mut self) -> io::Result<()> {
        if self.registered {
            kernel::unregister(self.address(0), self.image_bytes)?;
            self.registered = false;
        }
        self.set().forget();
        self.settled = 0;
        Ok(())
    }

    /// Empties what is open behind the image. Returns what stays populated, in bytes.
    fn give_back_behind(&mut self, module: &LoadedModule, learned: &Learned) -> io::Result<u64> {
        let (start, end) = (self.image_bytes, self.memory_end());
        if learned.ladder().page_scan {
            return self.give_back_written(module, start, end, &mut |_| {});
        }
        if end - start > FILLED_BYTES_MAX {
            self.reservation().empty(self.offset() + start, end - start)?;
            return Ok(0);
        }
        (start / PAGE_BYTES..end / PAGE_BYTES).for_each(|page| self.give_back_page(module, page));
        Ok(end - start)
    }

    /// Gives back the pages between two offsets in the slot that the kernel says were written, and tells which. Returns what stays populated, in bytes.
    fn give_back_written(&mut self, module: &LoadedModule, start: u64, end: u64, told: &mut dyn FnMut(u64)) -> io::Result<u64> {
        let base = self.address(0);
        let mut kept_bytes = 0;
        let stopped = kernel::written_pages(base + start, base + end, |from, to| {
            if kept_bytes + (to - from) > KEPT_BYTES_MAX {
                return false;
            }
            kept_bytes += to - from;
            for page in (from - base) / PAGE_BYTES..(to - base) / PAGE_BYTES {
                self.give_back_page(module, page);
                told(page);
            }
            true
        })?;
        if stopped < base + end {
            self.reservation().empty(self.offset() + (stopped - base), base + end - stopped)?;
        }
        Ok(kept_bytes)
    }

    /// A page of the write set: the lines that hold data are copied, the others filled.
    fn give_back_lines(&self, image: &[u8], written: Written) {
        let (page, data) = (written.page() as usize, written.data());
        bulk::give_back(self.page_mut(page as u64), data.start, &image[page * PAGE..][data]);
    }

    /// One page of the slot, as the image says; zero behind the image.
    fn give_back_page(&self, module: &LoadedModule, page: u64) {
        bulk::give_back(self.page_mut(page), 0, module.image_page(page as usize).unwrap_or(&[]));
    }

    /// A page of the open part, which is writable.
    #[expect(clippy::mut_from_ref, reason = "whoever calls it has the slot to himself, and gives one page back at a time")]
    fn page_mut(&self, page: u64) -> &mut [u8; PAGE] {
        let start = page * PAGE_BYTES;
        assert!(start < self.memory_end().max(self.image_bytes), "a page that is given back is open");
        // SAFETY: (a) the page lies in the open part, as just checked; (b) no other reference into the slot is alive: `reset` borrows it exclusively, and the
        // callers, all in this file, let go of one page before they take the next.
        unsafe { &mut *self.base().add(start as usize).cast() }
    }

    /// Memory past its first length is closed, for the next instance must trap there; memories from 1 are dropped.
    fn close_what_grew(&mut self) -> io::Result<()> {
        let grown_end = self.memory_end();
        self.memory_bytes = self.memory_initial_bytes;
        self.close_between(self.memory_end(), grown_end)?;
        for memory in self.further() {
            let (start, end) = (memory.offset + memory.initial_open_bytes(), memory.offset + memory.open_bytes());
            self.reservation().empty(self.offset() + memory.offset, memory.open_bytes())?;
            self.close_between(start, end)?;
        }
        self.further_mut().iter_mut().for_each(|memory| memory.bytes = memory.initial_bytes);
        Ok(())
    }

    fn close_between(&self, start: u64, end: u64) -> io::Result<()> {
        if end > start { self.reservation().close(self.offset() + start, end - start) } else { Ok(()) }
    }

    fn address(&self, page: u64) -> u64 {
        self.base() as u64 + page * PAGE_BYTES
    }
}
