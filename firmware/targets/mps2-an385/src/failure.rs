//! How the firmware dies: one line on UART0, then silence. The harness reads UART0 and bounds a run's wall time.

use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

use crate::uart::Console;

/// Prints `PANIC: ...` and stops for good.
fn die(reason: core::fmt::Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    // The console has no way to fail.
    let _ = writeln!(Console::open(), "PANIC: {reason}");
    loop {
        // With interrupts masked nothing runs any more; WFI keeps the host's processor free.
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => die(format_args!("{} ({}:{})", info.message(), at.file(), at.line())),
        None => die(format_args!("{}", info.message())),
    }
}

/// Every fault ends here; with the guard below the stack, an overflow does too.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    die(format_args!(
        "hard fault at {:#010x}, called from {:#010x} (the stack may have overflowed)",
        frame.pc(),
        frame.lr()
    ))
}
