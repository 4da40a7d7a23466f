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
    let mut bytes = b"\x7FELF\x01\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2u16, machine].iter().flat_map(|half| half.to_le_bytes()));
    // Version, entry, program headers at 52, no section headers, EABI 5.
    bytes.extend([1, CODE_AT + 1, 52, 0, 0x0500_0000].iter().flat_map(|word: &u32| word.to_le_bytes()));
    bytes.extend([52u16, 32, 1, 40, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
    let length = memory.len() as u32;
    // Loadable, from behind the headers to address 0, readable and executable.
    let program = [1, HEADERS_BYTES, 0, 0, length, length, 5, 4];
    bytes.extend(program.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(memory);
    bytes
}
