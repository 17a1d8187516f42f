"""Tests of likewise.torch (test_torch*.py) are collected only where torch was asked for."""

import os

collect_ignore_glob = [] if os.environ.get("LIKEWISE_TORCH") == "1" else ["test_torch*.py"]
