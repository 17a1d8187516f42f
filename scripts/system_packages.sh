#!/usr/bin/env bash
# Sees that what building likewise needs from the system is there: compiler, CMake, Python with headers, C++
# libraries, and the packages named as arguments. Installs what is missing with apt as root or through sudo;
# where it cannot, prints the line to run and fails. SKIP_SYSTEM_PACKAGES=1 leaves all of it to CMake's checks.
set -euo pipefail

[[ -z "${SKIP_SYSTEM_PACKAGES:-}" ]] || exit 0

has() { command -v "$1" >/dev/null 2>&1; }

usable_python() {
  "${PYTHON:-python3}" - 2>/dev/null <<'EOF'
import ensurepip, os, sys, sysconfig, venv
headers = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(0 if sys.version_info >= (3, 9) and os.path.exists(headers) else 1)
EOF
}

missing=()
has c++ || missing+=(g++)
has cmake || missing+=(cmake)
usable_python || missing+=(python3 python3-venv python3-dev)
if has dpkg-query; then
  for package in libeigen3-dev libnanoflann-dev libhwy-dev catch2 "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
fi
((${#missing[@]})) || exit 0

if ! has apt-get; then
  echo "likewise needs, by their names for apt: ${missing[*]}
Install a C++20 compiler, CMake 3.25 or newer and Python 3.9 or newer with venv and headers:
  dnf    dnf install gcc-c++ cmake python3-devel eigen3-devel nanoflann-devel highway-devel catch-devel
  brew   brew install cmake python libomp eigen nanoflann highway catch2
  conda  conda install -c conda-forge cxx-compiler cmake python eigen nanoflann libhwy catch2" >&2
  exit 1
fi

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if ((EUID == 0)); then
  as_root=(env)
elif has sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
  as_root=(sudo)
else
  echo "likewise needs packages that are not installed. Run this as root, then repeat the command:
  apt-get update && ${install[*]}
If they are elsewhere (conda, CMAKE_PREFIX_PATH), set SKIP_SYSTEM_PACKAGES=1 instead." >&2
  exit 1
fi
echo "Installing with apt: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" -qq >/dev/null
usable_python || {
  echo "${PYTHON:-python3} is no Python 3.9 or newer with venv and headers; name one with PYTHON=/usr/bin/python3" >&2
  exit 1
}
