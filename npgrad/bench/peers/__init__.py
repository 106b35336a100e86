"""What is compared with, each run by an interpreter that has it: nothing of this is imported by the library."""
