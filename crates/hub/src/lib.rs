//! The engine's IO shell: sources, sinks, state and the mirror.
