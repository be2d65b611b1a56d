//! What the nodes tell each other: who is there, and which endpoints each has.
