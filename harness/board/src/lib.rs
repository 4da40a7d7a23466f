//! Boards and the devices on them. A board is a YAML file; a [`Device`] is something that takes one
//! stimulus at a time and answers with what it did, whether it is the agent in this process (`sim`) or
//! real firmware in QEMU.
//!
//! This room never decides what a device is given or what its answers mean: that is the runner's. It is
//! the only room on the device side that opens sockets, ports or processes.

mod autopsy;
mod descriptor;
mod device;
mod elf;
mod foreign;
mod linked;
mod local;
#[cfg(feature = "probe")]
pub mod probe;
mod qemu;
mod serial;
mod sim;

pub use autopsy::{
    Autopsy, AutopsyVerdict, Beat, CoreDumpBytes, ExceptionFrame, FaultStatus, Given, Heartbeat, Processor,
    ProcessorState, Signs, SourceLine, StackFrame, Word,
};
pub use descriptor::{
    Backend, Board, BoardError, Capability, ChipRegister, CoreArchitecture, EmulatorSpec, FirmwareSpec,
    LinkSpec, LinkVia, ProbeSpec, QemuSpec, ResetKind, Timeouts, WireProtocol,
};
pub use device::{Device, DeviceFault, DeviceOutput, Doorbell, Pace, ProcessorEnd, Stimulus};
pub use elf::{Elf, ElfError};
pub use foreign::{
    AgentSpec, DeviceStep, IdentityError, IdentityFormat, IdentitySpec, ProvisionedSpec, UnlinkedDevice,
    identity_text,
};
pub use linked::{
    Conduit, ConduitEnd, FrameSocket, Frames, Host, LinkedDevice, Parts, Wire, WireError, conduit,
};
pub use local::{LOCAL_EXAMPLE, LOCAL_FILE, LocalBoards, LocalErrors, LocalUnit};
pub use qemu::{QemuDevice, QemuError, QemuPool, QemuVersion, qemu_binary, qemu_version};
pub use serial::{SerialAddress, SerialError, SerialWire, UsbMatch, UsbSerialPort, usb_serial_ports};
pub use sim::SimDevice;
