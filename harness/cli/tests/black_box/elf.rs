//! Firmware images of a few instructions, written by hand: a vector table, code, and nothing else.

/// Never says a word.
pub(crate) const LOOPS_FOREVER: &[u16] = &[0xE7FE];

/// Writes the bytes `first` and 0 to UART1 forever: enables it, then loops.
pub(crate) fn writes_to_the_link(first: u8, second: u8) -> Vec<u16> {
    vec![
        0x4804, // ldr r0, =0x40005000
        0x2110, // movs r1, #16
        0x6101, // str r1, [r0, #0x10]: BAUDDIV
        0x2101, // movs r1, #1
        0x6081, // str r1, [r0, #0x08]: CTRL, transmit
        0x2200 | u16::from(first),
        0x6002, // str r2, [r0]: DATA
        0x2200 | u16::from(second),
        0x6002,
        0xE7FA, // b to the first movs r2
        0x5000, // the literal, low half first
        0x4000,
    ]
}

/// Writes these bytes to UART1 forever, each when there is room for it.
pub(crate) fn says_to_the_link(bytes: &[u8]) -> Vec<u16> {
    let mut code = vec![
        0x4801, // ldr r0, =0x40005000
        0xE003, // b over the literal
        0x46C0, // nop: a literal is aligned
        0x46C0, 0x5000, 0x4000,
    ];
    code.extend([0x2110, 0x6101, 0x2101, 0x6081]); // BAUDDIV and CTRL, as above
    let first = code.len();
    for byte in bytes {
        code.extend([
            0x6843, // ldr r3, [r0, #0x04]: STATE
            0x07DB, // lsls r3, r3, #31: full?
            0xD1FC, // bne to the ldr
            0x2200 | u16::from(*byte),
            0x6002, // str r2, [r0]: DATA
        ]);
    }
    // Eleven bits of distance, from the instruction after the next.
    let back = (first as i32 - code.len() as i32 - 2) as u16 & 0x7FF;
    code.push(0xE000 | back);
    code
}

/// A sound frame of the link on a channel, with sequence number 0 and nothing in it (`firmware/link/src/frame.rs`).
pub(crate) fn frame_of_channel(channel: u8) -> Vec<u8> {
    let [low, high] = crc16(&[channel, 0]).to_le_bytes();
    assert!(channel != 0 && low != 0 && high != 0, "only the sequence number is written as a gap");
    vec![2, channel, 3, low, high, 0]
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let start = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(start, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

const EM_ARM: u16 = 40;
const EM_RISCV: u16 = 243;
const CODE_AT: u32 = 0x40;
const HEADERS_BYTES: u32 = 52 + 32;

/// An image for the Cortex-M3 whose reset handler is this code.
pub(crate) fn cortex_m(code: &[u16]) -> Vec<u8> {
    let stack_pointer: u32 = 0x2000_8000;
    let mut memory = Vec::new();
    memory.extend(stack_pointer.to_le_bytes());
    // Every vector is the reset handler, in Thumb state.
    while memory.len() < CODE_AT as usize {
        memory.extend((CODE_AT + 1).to_le_bytes());
    }
    memory.extend(code.iter().flat_map(|half| half.to_le_bytes()));
    image(EM_ARM, &memory)
}

/// An image for another machine.
pub(crate) fn risc_v() -> Vec<u8> {
    image(EM_RISCV, &[0; 4])
}

fn image(machine: u16, memory: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.text\0.shstrtab\0";
    let words = |bytes: &mut Vec<u8>, words: &[u32]| {
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    };
    let length = memory.len() as u32;
    let names_at = HEADERS_BYTES + length;
    let mut bytes = b"\x7FELF\x01\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2u16, machine].iter().flat_map(|half| half.to_le_bytes()));
    // Version, entry, program headers at 52, section headers at the end, EABI 5.
    words(&mut bytes, &[1, CODE_AT + 1, 52, names_at + NAMES.len() as u32, 0x0500_0000]);
    bytes.extend([52u16, 32, 1, 40, 3, 2].iter().flat_map(|half| half.to_le_bytes()));
    // Loadable, from behind the headers to address 0, readable and executable.
    words(&mut bytes, &[1, HEADERS_BYTES, 0, 0, length, length, 5, 4]);
    bytes.extend(memory);
    bytes.extend(NAMES);
    // QEMU loads by segments; debug probes load the sections within them.
    words(&mut bytes, &[0; 10]);
    words(&mut bytes, &[1, 1, 6, 0, HEADERS_BYTES, length, 0, 0, 4, 0]);
    words(&mut bytes, &[7, 3, 0, 0, names_at, NAMES.len() as u32, 0, 0, 1, 0]);
    bytes
}
