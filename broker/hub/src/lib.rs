//! IoT Hub as a sans-I/O state machine.
