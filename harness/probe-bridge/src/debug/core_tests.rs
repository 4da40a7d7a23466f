//! The debug registers through the bus, on a machine without QEMU.

use super::core::Core;
use super::fake::FakeMachine;
use super::machine::{Machine, Register};
use crate::adi::bus::{Bus, Width};
use crate::config::CoreKind;
use crate::link_error::LinkError;

const DFSR: u32 = 0xE000_ED30;
const AIRCR: u32 = 0xE000_ED0C;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const FP_CTRL: u32 = 0xE000_2000;
const FP_COMP0: u32 = 0xE000_2008;
const VTOR: u32 = 0xE000_ED08;
const RAM: u32 = 0x2000_0000;

const RUN: u32 = 0xA05F_0001;
const HALT: u32 = 0xA05F_0003;
const STEP: u32 = 0xA05F_0005;
const DETACH: u32 = 0xA05F_0000;
const SYSTEM_RESET: u32 = 0x05FA_0004;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const S_RESET_ST: u32 = 1 << 25;
const VC_CORERESET: u32 = 1;
const VC_HARDERR: u32 = 1 << 10;
const THUMB: u32 = 1 << 24;

/// A machine with firmware whose reset handler is at 0x100, and whose others are all at 0x200.
fn machine() -> FakeMachine {
    let mut machine = FakeMachine::default();
    machine.put_words(VTOR, &[0]);
    machine.put_words(0, &[0x2000_1000, 0x101, 0x201, 0x201]);
    machine.put_words(0xFC, &[0x46C0_46C0; 8]);
    machine.put_words(0x1FC, &[0xE7FE_E7FE; 2]);
    machine.put_words(RAM, &[0xBE00_BE00, 5, 6, 7]);
    machine.set(Register::PC, 0x100);
    machine.set(Register::Xpsr, THUMB);
    machine
}

fn halted() -> Core<FakeMachine> {
    Core::new(machine(), CoreKind::Armv7m, false)
}

fn running() -> Core<FakeMachine> {
    let mut core = halted();
    core.put(DHCSR, RUN);
    core
}

impl Core<FakeMachine> {
    /// One write as a packet of its own.
    fn put(&mut self, address: u32, word: u32) {
        self.write(address, Width::Word, &[word]).unwrap();
        self.settle().unwrap();
    }

    /// One read as a packet of its own.
    fn get(&mut self, address: u32) -> u32 {
        let words = self.read(address, Width::Word, 1).unwrap();
        self.settle().unwrap();
        words[0]
    }

    fn take_dfsr(&mut self) -> u32 {
        let cause = self.get(DFSR);
        self.put(DFSR, cause);
        assert_eq!(self.get(DFSR), 0, "a written one clears");
        cause
    }
}

#[test]
fn a_machine_that_never_ran_is_halted_with_debug_enabled() {
    let mut core = halted();
    assert_eq!(core.get(DHCSR), 1 << 16 | S_HALT | 0b11);
    assert!(!core.machine.running);
}

#[test]
fn a_machine_that_ran_goes_on_after_the_bridge_connected() {
    let mut core = Core::new(machine(), CoreKind::Armv7m, true);
    core.settle().unwrap();
    assert!(core.machine.running);
    assert_eq!(core.get(DHCSR) & (S_HALT | 0b11), 0);
}

#[test]
fn halt_and_run_take_effect_and_give_their_cause() {
    let mut core = running();
    assert!(core.machine.running);
    core.put(DHCSR, HALT);
    assert!(!core.machine.running);
    assert_eq!(core.get(DHCSR) & (S_HALT | 0b11), S_HALT | 0b11);
    assert_eq!(core.take_dfsr(), 1);
    core.put(DHCSR, RUN);
    assert_eq!(core.get(DHCSR) & S_HALT, 0);
}

#[test]
fn a_read_of_memory_pauses_a_running_machine_once_a_packet() {
    let mut core = running();
    core.read(RAM, Width::Word, 2).unwrap();
    core.read(RAM + 8, Width::Word, 1).unwrap();
    assert_eq!(core.read(DHCSR, Width::Word, 1).unwrap()[0] & S_HALT, 0, "a pause does not show");
    core.settle().unwrap();
    assert_eq!((core.machine.interrupts, core.machine.resumes), (1, 2));
    assert!(core.machine.running);
}

#[test]
fn polling_the_status_does_not_stop_the_machine() {
    let mut core = running();
    for _ in 0..5 {
        core.get(DHCSR);
        core.get(DFSR);
    }
    assert_eq!(core.machine.interrupts, 0);
}

#[test]
fn identification_stops_a_running_machine_once() {
    const CPUID: u32 = 0xE000_ED00;
    let mut core = halted();
    core.machine.put_words(CPUID, &[0x412F_C231]);
    core.put(DHCSR, RUN);
    for _ in 0..3 {
        assert_eq!(core.get(CPUID), 0x412F_C231);
    }
    assert_eq!(core.machine.interrupts, 1);
}

#[test]
fn a_step_executes_one_instruction() {
    let mut core = halted();
    core.put(DHCSR, STEP);
    assert_eq!(core.machine.get(Register::PC), 0x102);
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT);
    assert_eq!(core.take_dfsr(), 1);
}

#[test]
fn a_step_of_a_sleeping_core_ends() {
    let mut core = halted();
    core.machine.sleeps(true);
    core.put(DHCSR, STEP);
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT);
    assert_eq!(core.machine.get(Register::PC), 0x100);
}

#[test]
fn a_bkpt_is_not_stepped_over() {
    let mut core = halted();
    core.machine.set(Register::PC, RAM);
    core.put(DHCSR, STEP);
    assert_eq!((core.machine.steps, core.take_dfsr()), (0, 2));
}

#[test]
fn breakpoints_are_set_before_the_machine_runs_and_cleared_again() {
    let mut core = halted();
    core.put(FP_COMP0, 0x104 | 1);
    core.put(FP_CTRL, 0b11);
    assert!(core.machine.breakpoints.is_empty());
    core.put(DHCSR, RUN);
    assert_eq!(core.machine.breakpoints.iter().copied().collect::<Vec<_>>(), [0x104]);
    core.machine.trap_at(0x104);
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT);
    assert_eq!(core.take_dfsr(), 2);
    core.put(FP_COMP0, 0);
    core.put(DHCSR, RUN);
    assert!(core.machine.breakpoints.is_empty());
}

#[test]
fn a_breakpoint_set_while_the_program_runs_counts_at_once() {
    let mut core = running();
    core.put(FP_CTRL, 0b11);
    core.put(FP_COMP0, 0x104 | 1);
    assert!(core.machine.running && core.machine.breakpoints.contains(&0x104));
}

#[test]
fn a_detached_program_runs_without_breakpoints() {
    let mut core = running();
    core.put(FP_CTRL, 0b11);
    core.put(FP_COMP0, 0x104 | 1);
    core.put(DEMCR, VC_HARDERR);
    core.put(DHCSR, HALT);
    core.put(DHCSR, DETACH);
    assert!(core.machine.running && core.machine.breakpoints.is_empty());
}

#[test]
fn a_detach_from_a_running_program_takes_its_breakpoints_too() {
    let mut core = running();
    core.put(FP_CTRL, 0b11);
    core.put(FP_COMP0, 0x104 | 1);
    core.put(DHCSR, DETACH);
    assert!(core.machine.running && core.machine.breakpoints.is_empty());
}

#[test]
fn a_flash_algorithm_ends_at_the_bkpt_it_returns_to() {
    let mut core = halted();
    core.machine.set(Register::LR, RAM | 1);
    core.put(DHCSR, RUN);
    assert!(core.machine.breakpoints.contains(&RAM));
    core.machine.trap_at(RAM);
    core.get(DHCSR);
    assert_eq!(core.take_dfsr(), 2);
}

#[test]
fn the_return_is_still_caught_after_a_pause_in_a_nested_call() {
    let mut core = halted();
    core.machine.set(Register::LR, RAM | 1);
    core.put(DHCSR, RUN);
    core.machine.set(Register::LR, 0x105);
    core.get(RAM);
    assert!(core.machine.breakpoints.contains(&RAM));
}

#[test]
fn a_caught_hard_fault_halts_at_its_handler() {
    let mut core = running();
    core.put(DEMCR, VC_HARDERR);
    core.machine.set(Register::Xpsr, THUMB | 3);
    core.machine.trap_at(0x200);
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT);
    assert_eq!(core.take_dfsr(), 8);
}

#[test]
fn another_exception_with_the_same_handler_goes_on() {
    let mut core = running();
    core.put(DEMCR, VC_HARDERR);
    core.machine.set(Register::Xpsr, THUMB | 2);
    core.machine.trap_at(0x200);
    assert_eq!(core.get(DHCSR) & S_HALT, 0);
    assert!(core.machine.running);
    assert_eq!(core.machine.steps, 1);
}

#[test]
fn a_program_that_halted_at_a_caught_handler_runs_on_from_there() {
    let mut core = running();
    core.put(DEMCR, VC_HARDERR);
    core.machine.set(Register::Xpsr, THUMB | 3);
    core.machine.trap_at(0x200);
    core.get(DHCSR);
    core.put(DHCSR, RUN);
    assert!(core.machine.running);
    assert_eq!(core.machine.steps, 1, "past the breakpoint on which it stands");
}

#[test]
fn a_reset_restarts_a_program_and_shows_once() {
    let mut core = running();
    core.put(AIRCR, SYSTEM_RESET);
    assert!(core.machine.running);
    assert_eq!(core.get(DHCSR) & S_RESET_ST, S_RESET_ST);
    assert_eq!(core.get(DHCSR) & S_RESET_ST, 0);
    core.machine.reset_by_guest();
    assert_eq!(core.get(DHCSR) & S_RESET_ST, S_RESET_ST);
}

#[test]
fn a_reset_that_is_caught_halts_even_without_debug_enabled() {
    let mut core = running();
    core.put(DHCSR, DETACH);
    core.put(DEMCR, VC_CORERESET);
    core.put(AIRCR, SYSTEM_RESET);
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT);
    assert_eq!(core.take_dfsr(), 8);
    core.put(DHCSR, RUN);
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT, "enabling debug lets nothing go");
    core.put(DHCSR, RUN);
    assert_eq!(core.get(DHCSR) & S_HALT, 0);
}

#[test]
fn a_write_of_aircr_without_its_key_resets_nothing() {
    let mut core = halted();
    core.machine.on_step(|machine| {
        let pc = machine.get(Register::PC);
        machine.set(Register::PC, pc + 2);
    });
    core.put(AIRCR, 4);
    assert_eq!(core.machine.resets(), 0);
}

#[test]
fn the_reset_line_holds_the_core_until_it_is_released() {
    let mut core = running();
    core.assert_reset().unwrap();
    assert!(!core.machine.running);
    assert_eq!(core.get(DHCSR) & (S_RESET_ST | S_HALT), S_RESET_ST);
    assert_eq!(core.get(RAM + 4), 5, "memory is accessible");
    core.release_reset().unwrap();
    assert!(core.machine.running);
}

#[test]
fn a_reset_line_released_under_catch_halts() {
    let mut core = running();
    core.assert_reset().unwrap();
    core.put(DEMCR, VC_CORERESET);
    core.release_reset().unwrap();
    assert_eq!(core.get(DHCSR) & S_HALT, S_HALT);
}

#[test]
fn an_empty_vector_table_is_never_started_from() {
    let mut core = halted();
    core.machine.put_words(0, &[0; 4]);
    core.machine.set(Register::PC, 0);
    for request in [RUN, STEP, DETACH] {
        core.put(DHCSR, request);
        assert_eq!(core.get(DHCSR) & (S_LOCKUP | S_HALT), S_LOCKUP);
        core.put(DHCSR, HALT);
        assert_eq!(core.get(DHCSR) & (S_LOCKUP | S_HALT), S_HALT);
    }
    core.put(AIRCR, SYSTEM_RESET);
    assert_eq!(core.get(DHCSR) & S_LOCKUP, S_LOCKUP);
    assert_eq!((core.machine.resumes, core.machine.steps), (0, 0));
}

#[test]
fn core_registers_go_through_dcrdr() {
    let mut core = halted();
    core.put(DCRDR, 0x1234_5679);
    core.put(DCRSR, 1 << 16 | 15);
    assert_eq!(core.machine.get(Register::PC), 0x1234_5678, "without the Thumb bit");
    core.machine.set(Register::Single(3), 77);
    core.put(DCRSR, 67);
    assert_eq!(core.get(DCRDR), 77);
}

#[test]
fn a_transfer_while_the_program_runs_does_nothing() {
    let mut core = running();
    core.put(DCRDR, 9);
    core.put(DCRSR, 1 << 16 | 4);
    assert!(core.machine.running);
    assert_eq!(core.machine.get(Register::Core(4)), 0);
}

#[test]
fn a_register_that_the_core_has_not_is_a_fault() {
    let mut core = halted();
    for selection in [19, 24, 34, 63, 96, 127] {
        let refused = core.write(DCRSR, Width::Word, &[selection]);
        assert!(matches!(refused, Err(LinkError::Refused(_))), "{selection}");
    }
}

#[test]
fn special_registers_are_read_by_the_core_and_remembered_until_it_runs() {
    let mut core = halted();
    core.machine.on_step(|machine| {
        let pc = machine.get(Register::PC);
        machine.set(Register::R0, 0x2000_0800);
        machine.set(Register::PC, pc + 4);
    });
    for _ in 0..2 {
        core.put(DCRSR, 17);
        assert_eq!((core.get(DCRDR), core.machine.steps), (0x2000_0800, 1));
    }
    core.put(DHCSR, STEP);
    core.put(DCRSR, 17);
    assert_eq!(core.machine.steps, 3);
}

#[test]
fn a_sleeping_cores_stack_pointer_is_the_one_in_use() {
    let mut core = halted();
    core.machine.sleeps(true);
    core.machine.set(Register::SP, 0x2000_0FF0);
    core.put(DCRSR, 17);
    assert_eq!(core.get(DCRDR), 0x2000_0FF0);
    core.put(DCRSR, 20);
    assert_eq!((core.get(DCRDR), core.machine.steps), (0, 1), "it is asked once");
}

#[test]
fn device_registers_take_the_physical_way_on_armv7m_and_the_cores_on_armv8m() {
    const UART: u32 = 0x4000_4010;
    let mut core = halted();
    core.put(UART, 0x21);
    assert_eq!(core.machine.device_writes, [(UART, vec![0x21, 0, 0, 0])]);
    let mut core = Core::new(machine(), CoreKind::Armv8m, false);
    core.machine.on_step(|machine| {
        assert_eq!((machine.get(Register::R0), machine.get(Register::R1)), (UART, 0x21));
        let pc = machine.get(Register::PC);
        machine.set(Register::PC, pc + 2);
    });
    core.put(UART, 0x21);
    assert_eq!((core.machine.steps, core.machine.device_writes.len()), (1, 0));
}

#[test]
fn a_part_of_a_debug_register_is_read_but_not_written() {
    let mut core = halted();
    assert_eq!(core.read(DHCSR + 2, Width::Byte, 1).unwrap(), [0b11]);
    let refused = core.write(DHCSR, Width::Byte, &[3]);
    assert!(matches!(refused, Err(LinkError::Refused(_))));
}
