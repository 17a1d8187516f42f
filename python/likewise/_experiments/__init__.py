"""What the comparison study and the benchmark share: bars, children, memory, checks and the page."""

from likewise._extras import need

need("likewise study and likewise bench", "pandas", "matplotlib", "jinja2", "tqdm")
