from importlib import metadata, util

import pytest

import likewise
from likewise.__main__ import main


def test_version_is_three_numbers():
    assert [part.isdigit() for part in likewise.__version__.split(".")] == [True, True, True]


def test_package_and_library_share_one_version():
    try:
        installed = metadata.version("likewise")
    except metadata.PackageNotFoundError:
        assert "build/python" in util.find_spec("likewise").origin  # a development tree has no metadata
    else:
        assert installed == likewise.__version__


def test_command_line_prints_the_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"likewise {likewise.__version__}\n"
