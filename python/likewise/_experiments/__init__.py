"""What the comparison study and the benchmark share: bars, children, memory, checks and the page."""
