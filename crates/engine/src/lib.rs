//! The sync engine without IO: changes, positions and what to do about them.
