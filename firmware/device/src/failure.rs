//! How the firmware dies: one line on the console, then silence. The harness reads the console and bounds a
//! run's wall time.

use core::cell::Cell;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use critical_section::Mutex;

/// Writes text to the console, by polling; it must work whatever has happened before.
type Print = fn(&str);

static PRINT: Mutex<Cell<Option<Print>>> = Mutex::new(Cell::new(None));

/// Names the console. To be called before anything can fail.
pub fn print_failures_by(print: Print) {
    critical_section::with(|cs| PRINT.borrow(cs).set(Some(print)));
}

struct Console(Option<Print>);

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        crate::rtt::print(text);
        if let Some(print) = self.0 {
            print(text);
        }
        Ok(())
    }
}

/// Prints `PANIC: ...` and stops for good.
fn die(reason: fmt::Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    let print = critical_section::with(|cs| PRINT.borrow(cs).get());
    // The console has no way to fail.
    let _ = writeln!(Console(print), "PANIC: {reason}");
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
