//! Pulsar's binary protocol: frames, commands, the connection.
