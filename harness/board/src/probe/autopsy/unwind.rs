//! The calls that led to where a processor stands, from its registers and stack: by the image's call frame information,
//! through exceptions, and where an overflowed stack has swallowed the exception's frame, by what still looks like a
//! return address. Works on a copy of memory, so it gives the same long after.

use std::collections::BTreeMap;

use gimli::{CfaRule, Register, RegisterRule, UnwindTableRow};

use super::image::DebugImage;
use crate::{ExceptionFrame, Word};

/// Calls, those of a recursion included.
const CALLS_MAX: usize = 4096;
/// How far the remains of a stack are searched.
const SEARCH_WORDS: u32 = 4096;

const FRAME_POINTER: usize = 7;
const SP: usize = 13;
const LR: usize = 14;
const PC: usize = 15;

/// The registers that unwinding goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Registers {
    /// r0 to r15.
    pub(super) r: [u32; 16],
    /// The stack of threads, which exceptions leave.
    pub(super) psp: u32,
    pub(super) xpsr: u32,
}

/// One call, before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) pc: u32,
    /// Whether `pc` is where it goes on after a call, and not where it is.
    pub(super) returns_there: bool,
    pub(super) guessed: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unwound {
    pub(super) calls: Vec<Call>,
    /// Of the innermost exception.
    pub(super) exception: Option<ExceptionFrame>,
}

/// Reads a word of the stack.
pub(super) type Memory<'m> = dyn Fn(u32) -> Option<u32> + 'm;

/// Goes from call to caller until nothing is left. `frame_is_lost`: the processor says that it could not save the
/// frame of the exception that it is in.
pub(super) fn unwind(
    image: &DebugImage<'_>,
    start: Registers,
    frame_is_lost: bool,
    memory: &Memory<'_>,
) -> Unwound {
    let mut walk = Walk { image, memory, frame_is_lost, unwound: Unwound::default(), rows: BTreeMap::new() };
    let mut at = Some((start, Call { pc: start.r[PC] & !1, returns_there: false, guessed: false }));
    while let Some((registers, call)) = at.filter(|_| walk.unwound.calls.len() < CALLS_MAX) {
        walk.unwound.calls.push(call);
        at = walk.step(registers, call);
    }
    walk.unwound
}

struct Walk<'w, 'i> {
    image: &'w DebugImage<'i>,
    memory: &'w Memory<'w>,
    frame_is_lost: bool,
    unwound: Unwound,
    /// By address: a recursion asks for the same one again and again.
    rows: BTreeMap<u32, Option<UnwindTableRow<usize>>>,
}

impl Walk<'_, '_> {
    /// The caller, or what was interrupted.
    fn step(&mut self, registers: Registers, call: Call) -> Option<(Registers, Call)> {
        let row = self.rows.entry(call.lookup()).or_insert_with(|| self.image.unwind_row(call.lookup()));
        let innermost = self.unwound.calls.len() == 1;
        let caller = caller(registers, row.as_ref(), innermost, self.memory)?;
        let to = caller.r[PC];
        if is_exception_return(to) {
            // A handler that has only just been entered is told by the verdict; what it interrupted is the story.
            if innermost && caller.r[SP] == registers.r[SP] {
                self.unwound.calls.clear();
            }
            return self.step_out_of_exception(&caller, to);
        }
        let same = (to & !1, caller.r[SP]) == (call.pc, registers.r[SP]);
        // Frames of callers lie above. Where one does not, or nobody called from there, the stack makes no sense.
        if same || caller.r[SP] < registers.r[SP] || !self.image.is_return_address(to) {
            return None;
        }
        Some((caller, Call { pc: to & !1, returns_there: true, guessed: call.guessed }))
    }

    fn step_out_of_exception(
        &mut self,
        handler: &Registers,
        exception_return: u32,
    ) -> Option<(Registers, Call)> {
        if std::mem::take(&mut self.frame_is_lost) {
            return self.guess(handler);
        }
        let (frame, before) = interrupted(handler, exception_return, self.memory)?;
        self.unwound.exception.get_or_insert(frame);
        Some((before, Call { pc: before.r[PC], returns_there: false, guessed: false }))
    }

    /// Begins anew from the lowest return address that the stack still holds: the frame pointer names its place where
    /// the firmware has one, else it is searched for.
    fn guess(&mut self, registers: &Registers) -> Option<(Registers, Call)> {
        let by_frame_pointer = registers.r[FRAME_POINTER].wrapping_add(4);
        let lowest = registers.r[SP] & !3;
        let searched = (0..SEARCH_WORDS).map(|index| lowest.wrapping_add(4 * index));
        let (slot, word) = [by_frame_pointer].into_iter().chain(searched).find_map(|slot| {
            let word = (self.memory)(slot)?;
            self.image.is_return_address(word).then_some((slot, word))
        })?;
        let to = word & !1;
        // The call behind which it returns says who was called.
        if let Some(Some(callee)) = self.image.call_before(to) {
            self.unwound.calls.push(Call { pc: callee, returns_there: false, guessed: true });
        }
        let mut caller = *registers;
        (caller.r[SP], caller.r[PC]) = (slot.wrapping_add(4), to);
        // A frame pointer is saved right below the return address.
        caller.r[FRAME_POINTER] = (self.memory)(slot.wrapping_sub(4)).unwrap_or_default();
        Some((caller, Call { pc: to, returns_there: true, guessed: true }))
    }
}

impl Call {
    /// An address within the call, or within what is executed.
    pub(super) fn lookup(&self) -> u32 {
        self.pc.wrapping_sub(u32::from(self.returns_there))
    }
}

/// The registers of the caller, with its return address as `pc`.
fn caller(
    registers: Registers,
    row: Option<&UnwindTableRow<usize>>,
    innermost: bool,
    memory: &Memory<'_>,
) -> Option<Registers> {
    let Some(row) = row else {
        // Nothing is known of this function. One that has just been entered has its return address at hand.
        let mut caller = registers;
        caller.r[PC] = registers.r[LR];
        return innermost.then_some(caller);
    };
    let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else { return None };
    let base = registers.r.get(usize::from(register.0))?;
    let cfa = base.wrapping_add(i32::try_from(*offset).ok()?.cast_unsigned());
    let mut caller = registers;
    for number in (4..12).chain([LR]) {
        let rule = row.register(Register(u16::try_from(number).ok()?));
        caller.r[number] = match rule {
            Some(RegisterRule::Offset(offset)) => {
                memory(cfa.wrapping_add(i32::try_from(offset).ok()?.cast_unsigned()))?
            }
            Some(RegisterRule::Register(other)) => *registers.r.get(usize::from(other.0))?,
            _ => registers.r[number],
        };
    }
    caller.r[SP] = cfa;
    caller.r[PC] = caller.r[LR];
    Some(caller)
}

/// EXC_RETURN: ARMv7-M B1.5.8. All ones is what a link register holds after a reset.
fn is_exception_return(address: u32) -> bool {
    address >> 24 == 0xFF && address != u32::MAX
}

/// What an exception's entry has saved, and the registers before it.
fn interrupted(
    handler: &Registers,
    exception_return: u32,
    memory: &Memory<'_>,
) -> Option<(ExceptionFrame, Registers)> {
    const THREAD_STACK: u32 = 1 << 2;
    const BASIC_FRAME: u32 = 1 << 4;
    const ALIGNED: u32 = 1 << 9;
    let on_thread_stack = exception_return & THREAD_STACK != 0;
    let at = if on_thread_stack { handler.psp } else { handler.r[SP] };
    let word = |index: u32| memory(at.wrapping_add(4 * index));
    let [r0, r1, r2, r3] = [word(0)?, word(1)?, word(2)?, word(3)?];
    let (r12, lr, pc, xpsr) = (word(4)?, word(5)?, word(6)?, word(7)?);
    let size = if exception_return & BASIC_FRAME != 0 { 0x20 } else { 0x68 };
    let padding = if xpsr & ALIGNED != 0 { 4 } else { 0 };
    let mut before = *handler;
    before.r[..4].copy_from_slice(&[r0, r1, r2, r3]);
    (before.r[12], before.r[LR], before.r[PC], before.xpsr) = (r12, lr, pc & !1, xpsr);
    before.r[SP] = at.wrapping_add(size + padding);
    let frame = ExceptionFrame {
        exception: handler.xpsr & 0x1FF,
        at: Word(at),
        r0_r3: [r0, r1, r2, r3].map(Word),
        r12: Word(r12),
        lr: Word(lr),
        pc: Word(pc),
        xpsr: Word(xpsr),
    };
    Some((frame, before))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const STACK: u32 = 0x2000_0000;

    fn memory(words: &[u32]) -> impl Fn(u32) -> Option<u32> {
        move |address| words.get(address.checked_sub(STACK)? as usize / 4).copied()
    }

    fn handler(r7: u32) -> Registers {
        let mut handler = Registers { psp: STACK + 0x40, xpsr: 0x0100_0003, ..Registers::default() };
        (handler.r[SP], handler.r[FRAME_POINTER]) = (STACK, r7);
        handler
    }

    /// What an entry saves: numbers that tell their place, a program counter, and a status.
    fn saved(first: u32, xpsr: u32) -> Vec<u32> {
        (first..first + 7).chain([xpsr]).collect()
    }

    #[test]
    fn what_was_interrupted_is_where_the_exception_s_return_says() {
        let words: Vec<u32> = [saved(0x10, 0x0100_0000), vec![0; 8], saved(0x30, 0x0100_0000)].concat();
        let memory = memory(&words);
        let (frame, before) = interrupted(&handler(5), 0xFFFF_FFF9, &memory).unwrap();
        assert_eq!((frame.at, frame.exception, frame.lr, frame.pc), (Word(STACK), 3, Word(0x15), Word(0x16)));
        assert_eq!((before.r[SP], before.r[LR], before.r[FRAME_POINTER]), (STACK + 0x20, 0x15, 5));
        let (frame, before) = interrupted(&handler(5), 0xFFFF_FFFD, &memory).unwrap();
        assert_eq!((frame.at, before.r[PC], before.r[SP]), (Word(STACK + 0x40), 0x36, STACK + 0x60));
    }

    #[test]
    fn an_entry_that_aligned_its_stack_or_saved_more_is_left_by_as_much() {
        let words = saved(0x10, 0x0100_0200);
        let (_, before) = interrupted(&handler(0), 0xFFFF_FFF9, &memory(&words)).unwrap();
        assert_eq!(before.r[SP], STACK + 0x24);
        let words = saved(0x10, 0x0100_0000);
        let (_, before) = interrupted(&handler(0), 0xFFFF_FFE9, &memory(&words)).unwrap();
        assert_eq!(before.r[SP], STACK + 0x68, "with floating-point registers");
    }

    #[test]
    fn a_frame_that_memory_does_not_hold_is_none() {
        assert_eq!(interrupted(&handler(0), 0xFFFF_FFF9, &memory(&[0; 7])), None);
    }

    #[test]
    fn what_a_link_register_holds_after_a_reset_returns_nowhere() {
        assert!(is_exception_return(0xFFFF_FFF1) && is_exception_return(0xFFFF_FFBC));
        assert!(!is_exception_return(u32::MAX) && !is_exception_return(0x0000_0101));
    }

    #[test]
    fn only_a_function_that_was_just_entered_may_be_unknown() {
        let mut registers = handler(0);
        registers.r[LR] = 0x101;
        let nothing = |_: u32| None;
        assert_eq!(caller(registers, None, true, &nothing).map(|caller| caller.r[PC]), Some(0x101));
        assert_eq!(caller(registers, None, false, &nothing), None);
    }

    /// A generator that needs no seed of the machine's.
    struct Noise(u32);

    impl Noise {
        fn next(&mut self) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            self.0
        }
    }

    #[test]
    fn a_processor_and_a_stack_full_of_nonsense_are_unwound_to_an_end() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/firmware");
        let Ok(bytes) = std::fs::read(folder.join("thumbv7m-none-eabi/release/mps2-an385")) else {
            assert!(std::env::var_os("CI").is_none(), "CI must have the firmware");
            return eprintln!("passed over: no firmware");
        };
        let image = DebugImage::parse(&bytes).unwrap();
        let mut noise = Noise(0x1234_5678);
        for round in 0..500 {
            // Many of them are small enough to point into code, as on a real stack.
            let words: Vec<u32> = (0..1024).map(|_| noise.next() >> (noise.next() % 16)).collect();
            let mut start = handler(STACK + 4 * (noise.next() % 1024));
            for register in &mut start.r {
                *register = if *register == 0 { noise.next() % 0x0005_0000 } else { *register };
            }
            if round % 2 == 0 {
                start.r[LR] = 0xFFFF_FFF9;
            }
            let unwound = unwind(&image, start, round % 4 == 0, &memory(&words));
            assert!(unwound.calls.len() <= CALLS_MAX + 1);
            unwound.calls.iter().for_each(|call| assert!(!image.places(call.lookup()).is_empty()));
        }
    }
}
