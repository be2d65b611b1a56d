//! The managers' state from outside: commands in, answers and views out.
