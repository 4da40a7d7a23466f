//! TLS sans-I/O: certificates in, plaintext and peer facts out.
