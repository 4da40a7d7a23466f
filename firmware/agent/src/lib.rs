#![no_std]
//! The device side of IoT Hub and the Defender micro agent, sans-I/O.
