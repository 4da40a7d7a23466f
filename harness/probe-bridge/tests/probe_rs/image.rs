//! A firmware of a few instructions, for any board with flash at one address and RAM at another.
//!
//! It copies an RTT control block with one message to RAM, counts for ever in RAM, and obeys three words there: fault,
//! reset, sleep.

/// Where a board has what, and how the image is laid out on it.
#[derive(Clone, Copy)]
pub(crate) struct Image {
    pub(crate) flash: u32,
    pub(crate) ram: u32,
}

/// The message in the RTT buffer.
pub(crate) const MESSAGE: &[u8] = b"hello over RTT\n";

/// Where its words are in RAM: beyond what probe-rs takes for a flash algorithm and its buffers.
const WORDS_AT: u32 = 0x20_0000;
const RESET_AT: u32 = 0x40;
const HARD_FAULT_AT: u32 = 0x80;
const LITERALS_AT: usize = 0xC0;
const RTT_AT: usize = 0x100;
const RTT_BYTES: usize = 0x80;
const IMAGE_BYTES: usize = 0x1800;

/// From `RESET_AT`.
const CODE: [u16; 32] = [
    0x4B1F, // 40: ldr r3, =words in ram
    0x4820, // 42: ldr r0, =rtt in ram
    0x4920, // 44: ldr r1, =rtt in flash
    0x2280, // 46: movs r2, #RTT_BYTES
    0x3A04, // 48: subs r2, #4
    0x588D, // 4A: ldr r5, [r1, r2]
    0x5085, // 4C: str r5, [r0, r2]
    0xD1FB, // 4E: bne 48
    0x2400, // 50: movs r4, #0
    0x3401, // 52: adds r4, #1
    0x601C, // 54: str r4, [r3]
    0x685D, // 56: ldr r5, [r3, #4]
    0x2D00, // 58: cmp r5, #0
    0xD109, // 5A: bne 70
    0x689D, // 5C: ldr r5, [r3, #8]
    0x2D00, // 5E: cmp r5, #0
    0xD108, // 60: bne 74
    0x68DD, // 62: ldr r5, [r3, #12]
    0x2D00, // 64: cmp r5, #0
    0xD0F4, // 66: beq 52
    0xBF30, // 68: wfi
    0xE7FD, // 6A: b 68
    0xBF00, // 6C: nop
    0xBF00, // 6E: nop
    0x682E, // 70: ldr r6, [r5]
    0xE7FE, // 72: b 72
    0x2200, // 74: movs r2, #0
    0x609A, // 76: str r2, [r3, #8]
    0x4814, // 78: ldr r0, =AIRCR
    0x4915, // 7A: ldr r1, =SYSRESETREQ
    0x6001, // 7C: str r1, [r0]
    0xE7FE, // 7E: b 7E
];
/// From `HARD_FAULT_AT`: b 80.
const HARD_FAULT: u16 = 0xE7FE;

impl Image {
    pub(crate) const MPS2_AN385: Self = Self { flash: 0, ram: 0x2000_0000 };
    pub(crate) const MPS2_AN505: Self = Self { flash: 0x1000_0000, ram: 0x3800_0000 };

    /// The first instruction after a reset.
    pub(crate) fn reset_handler(self) -> u64 {
        u64::from(self.flash + RESET_AT)
    }

    /// The first instruction of every exception's handler.
    pub(crate) fn hard_fault_handler(self) -> u64 {
        u64::from(self.flash + HARD_FAULT_AT)
    }

    /// The instruction that begins a round of counting.
    pub(crate) fn count_instruction(self) -> u64 {
        u64::from(self.flash + 0x52)
    }

    /// The word that counts.
    pub(crate) fn counter(self) -> u64 {
        u64::from(self.ram + WORDS_AT)
    }

    /// A write of an address there makes the program read from it.
    pub(crate) fn fault_order(self) -> u64 {
        self.counter() + 4
    }

    /// A write there makes the program reset itself.
    pub(crate) fn reset_order(self) -> u64 {
        self.counter() + 8
    }

    /// A write there makes the program sleep for ever.
    pub(crate) fn sleep_order(self) -> u64 {
        self.counter() + 12
    }

    /// The RTT control block in RAM.
    pub(crate) fn rtt(self) -> u64 {
        u64::from(self.rtt_in_ram())
    }

    fn rtt_in_ram(self) -> u32 {
        self.ram + WORDS_AT + RTT_AT as u32
    }

    /// What the stack pointer begins with.
    pub(crate) fn stack_top(self) -> u32 {
        self.ram + 0x1_0000
    }

    /// The bytes for the beginning of flash; padded, so that flashing takes several sectors.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut image = vec![0xA5; IMAGE_BYTES];
        let mut vectors = [self.flash + HARD_FAULT_AT + 1; 16];
        (vectors[0], vectors[1]) = (self.stack_top(), self.flash + RESET_AT + 1);
        put(&mut image, 0, &words(&vectors));
        let code: Vec<u8> = CODE.iter().flat_map(|instruction| instruction.to_le_bytes()).collect();
        put(&mut image, RESET_AT as usize, &code);
        put(&mut image, HARD_FAULT_AT as usize, &HARD_FAULT.to_le_bytes());
        let (words_in_ram, rtt_in_ram) = (self.ram + WORDS_AT, self.rtt_in_ram());
        let literals = [words_in_ram, rtt_in_ram, self.flash + RTT_AT as u32, 0xE000_ED0C, 0x05FA_0004];
        put(&mut image, LITERALS_AT, &words(&literals));
        put(&mut image, RTT_AT, &rtt_block(rtt_in_ram));
        image
    }
}

/// One up channel, no down channel; its name at 0x30, its buffer at 0x40.
fn rtt_block(at: u32) -> [u8; RTT_BYTES] {
    let mut block = [0; RTT_BYTES];
    put(&mut block, 0, b"SEGGER RTT");
    put(&mut block, 0x10, &words(&[1, 0, at + 0x30, at + 0x40, 0x40, MESSAGE.len() as u32, 0, 0]));
    put(&mut block, 0x30, b"log");
    put(&mut block, 0x40, MESSAGE);
    block
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}
